"""The pipeline of g_pipeline.yaml, written with kfp."""

import sys

from kfp import compiler, dsl, kubernetes

IMAGE = "registry.example/app:1"


@dsl.container_component
def data(rows: int, data: dsl.Output[dsl.Dataset]):
    return dsl.ContainerSpec(
        image=IMAGE, command=["python", "-m", "app.data"], args=[f"--rows={rows}", f"--data={data.path}"]
    )


@dsl.container_component
def train(data: dsl.Input[dsl.Dataset], rate: float, layers: int, model: dsl.Output[dsl.Model]):
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["python", "-m", "app.train"],
        args=[f"--data={data.path}", f"--rate={rate}", f"--layers={layers}", f"--model={model.path}"],
    )


@dsl.container_component
def evaluate(data: dsl.Input[dsl.Dataset], model: dsl.Input[dsl.Model], loss: dsl.OutputPath(float)):  # type: ignore[valid-type]
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["python", "-m", "app.evaluate"],
        args=[f"--data={data.path}", f"--model={model.path}", f"--loss={loss}"],
    )


@dsl.container_component
def register(model: dsl.Input[dsl.Model], loss: float, card: dsl.Output[dsl.Markdown]):
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["python", "-m", "app.register"],
        args=[f"--model={model.path}", f"--loss={loss}", f"--card={card.path}"],
    )


@dsl.container_component
def tell(loss: float):
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-m", "app.tell"], args=[f"--loss={loss}"])


@dsl.pipeline(name="five-steps")
def five_steps(rows: int = 1000, rate: float = 0.001, layers: int = 2, most: float = 0.5):
    read = data(rows=rows)
    trained = train(data=read.outputs["data"], rate=rate, layers=layers)
    judged = evaluate(data=read.outputs["data"], model=trained.outputs["model"])
    told = tell(loss=judged.outputs["loss"])
    with dsl.If(judged.outputs["loss"] < most, name="when-register"):
        registered = register(model=trained.outputs["model"], loss=judged.outputs["loss"])
    for task in (read, trained, judged, registered, told):
        task.set_cpu_request("1")
        task.set_cpu_limit("1")
        task.set_memory_request("2Gi")
        task.set_memory_limit("2Gi")
        kubernetes.set_security_context(task, run_as_non_root=True)
        kubernetes.add_pod_annotation(task, "sidecar.istio.io/inject", "false")


if __name__ == "__main__":
    compiler.Compiler().compile(five_steps, sys.argv[1])
