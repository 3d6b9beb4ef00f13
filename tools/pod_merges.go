// Writes tests/data/pod_merges.jsonl: pods, patches, and what the API server's own code makes of them.
//
// Run it in a folder of its own, because it needs a go.mod:
//
//	python tests/support/pod_fragments.py > /tmp/pairs.jsonl
//	mkdir /tmp/merges && cp tools/pod_merges.go /tmp/merges && cd /tmp/merges
//	go mod init merges && go get k8s.io/api@v0.36.3 k8s.io/apimachinery@v0.36.3 && go mod tidy
//	go run . < /tmp/pairs.jsonl > pod_merges.jsonl
package main

import (
	"bufio"
	"encoding/json"
	"os"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

type pair struct {
	Pod    map[string]any `json:"pod"`
	Patch  map[string]any `json:"patch"`
	Merged any            `json:"merged,omitempty"`
	Error  string         `json:"error,omitempty"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for lines.Scan() {
		var given, work pair
		if err := json.Unmarshal(lines.Bytes(), &given); err != nil {
			panic(err)
		}
		if err := json.Unmarshal(lines.Bytes(), &work); err != nil {
			panic(err)
		}
		found, err := strategicpatch.StrategicMergeMapPatch(work.Pod, work.Patch, core.PodSpec{})
		if err != nil {
			given.Error = err.Error()
		} else {
			given.Merged = found
		}
		if err := out.Encode(given); err != nil {
			panic(err)
		}
	}
}
