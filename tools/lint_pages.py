"""Writes a page for each lint rule, generated from the rule.

python tools/lint_pages.py docs/lint
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from lint_examples import EXAMPLE, EXAMPLE_HPARAMS, EXAMPLE_STUDY, read_change, script_text

from kftune import yaml_text
from kftune.lint.fixes import FIXES
from kftune.lint.rules.all import RULES
from kftune.lint.rules.rule import MEANINGS, Rule


def main(arguments: list[str]) -> int:
    """Writes all pages into a folder, and removes those of rules that no longer exist."""
    (folder,) = arguments
    pages = dict(all_pages())
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for stale in target.glob("KT*.md"):
        if stale.name not in pages:
            stale.unlink()
    for name, text in pages.items():
        (target / name).write_text(text, encoding="utf-8")
    return 0


def all_pages() -> Iterator[tuple[str, str]]:
    """Yields file name and text of each page, the table of contents first."""
    yield "README.md", _contents()
    for rule in RULES.values():
        yield f"{rule.code}.md", page_text(rule)


def page_text(rule: Rule) -> str:
    """Returns the page of a rule."""
    parts = [
        f"# {rule.code}: {rule.title}",
        f"Severity: **{rule.severity}** ({MEANINGS[rule.severity]}).",
        rule.explanation,
        f"**What to do:** {rule.remedy}.",
    ]
    if rule.code in FIXES or rule.code == "KT105":
        parts.append("`kftune lint --fix` does this if it is safe.")
    if rule.fails and rule.code.startswith("KT4"):
        place = "With this [class and this study](README.md#the-example-of-drift), this script is reported"
        parts += [f"{place}:\n\n{_python(rule.fails)}", f"This passes:\n\n{_python(rule.passes)}"]
    elif rule.fails:
        parts.append(
            f"Merged into the [example](README.md#the-example), this change is reported:\n\n{_yaml(rule.fails)}"
        )
        parts.append(f"This passes:\n\n{_yaml(rule.passes)}" if rule.passes else "The example itself passes.")
    parts.append(f"Source: {rule.source}.")
    return "\n\n".join(parts) + "\n"


def _python(part: str) -> str:
    return f"```python\n{script_text(part)}```"


def _yaml(change: str) -> str:
    return f"```yaml\n{yaml_text.dump(read_change(change))}```"


def _contents() -> str:
    rows = "\n".join(f"| [{rule.code}]({rule.code}.md) | {rule.severity} | {rule.title} |" for rule in RULES.values())
    meanings = "\n".join(f"- **{severity}**: {meaning}" for severity, meaning in MEANINGS.items())
    return (
        "# What `kftune lint` finds\n\n"
        "These pages are generated from the rules: `python tools/lint_pages.py docs/lint`.\n\n"
        f"{meanings}\n\n| rule | severity | |\n|---|---|---|\n{rows}\n\n"
        "A comment on a line switches off a finding there: `# kftune: ignore[KT305]`.\n\n"
        f"## The example\n\nThe examples on the pages change this Experiment:\n\n```yaml\n{EXAMPLE}```\n\n"
        "## The example of drift\n\nThe scripts on the pages from KT401 on belong to this class and this study:\n\n"
        f"```python\n{EXAMPLE_HPARAMS}```\n\n```yaml\n{EXAMPLE_STUDY}```\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
