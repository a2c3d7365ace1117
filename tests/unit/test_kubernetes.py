"""The Kubernetes client: writes are fenced, and writes based on an old version are refused."""

import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import pytest

from esm_operator.api.recorded_status import Condition, MappingStatus, OutputsRecord
from esm_operator.api.resource import FINALIZER, GROUP, VERSION, Intent, Key, parse
from esm_operator.cluster.config_cache import PROVIDER_CONFIGS, config_object
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.transport import WRITE_TIMEOUT, ApiError, ConflictError, GoneError
from esm_operator.fence import MARGIN, Fence, NotLeadingError
from tests.unit.api_server import ApiServer

KEY = Key("shop", "orders")
CONFIGS = f"/apis/{GROUP}/{VERSION}/{PROVIDER_CONFIGS}"
INTENT = Intent(str(KEY), "123456789012", "eu-west-1", "orders", "arn", (), (), (), {})


class Scene(ApiServer):
    """A resource and a ProviderConfig from the answer of an earlier request."""

    def __init__(self) -> None:
        super().__init__()
        self.fence = Fence(clock=lambda: 0.0)
        self.fence.extend(100.0)
        self.cluster.create(KEY, {"functionName": "orders"}, {"finalizers": ["example.com/other"]})
        self.resource = parse(self.cluster.mappings[KEY])
        made = self.cluster.request("POST", CONFIGS, {"metadata": {"name": "shop", "uid": "uid-2"}})
        self.config = config_object(json.loads(made.body))

    def change(self) -> None:
        """Let another client write to both objects."""
        self.cluster.edit(KEY, {"metadata": {"finalizers": ["example.com/another"]}, "status": {"uuid": "another"}})
        path = f"{CONFIGS}/{self.config.name}"
        self.cluster.request("PATCH", path, {"metadata": {"finalizers": ["example.com/another"]}})

    def objects(self) -> list[Any]:
        """The current state of both objects."""
        return [self.cluster.mappings[KEY], self.cluster.request("GET", f"{CONFIGS}/{self.config.name}", {}).body]


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
async def kubernetes(scene: Scene) -> AsyncGenerator[KubernetesClient]:
    async with scene.connect(scene.fence) as made:
        yield made


Write = Callable[[KubernetesClient, Scene], Coroutine[Any, Any, Any]]
WRITES: dict[str, Write] = {
    "prepare": lambda kubernetes, scene: kubernetes.add_finalizer(scene.resource, INTENT),
    "release": lambda kubernetes, scene: kubernetes.remove_finalizer(scene.resource),
    "set_status": lambda kubernetes, scene: kubernetes.set_status(scene.resource, MappingStatus(uuid="1")),
    "set_config_finalizers": lambda kubernetes, scene: kubernetes.set_config_finalizers(scene.config, ["a/b"]),
    "set_config_status": lambda kubernetes, scene: kubernetes.set_config_status(scene.config, [Condition("InUse")]),
}


@pytest.mark.parametrize("name", WRITES)
async def test_a_write_based_on_an_old_version_is_refused(
    kubernetes: KubernetesClient, scene: Scene, name: str
) -> None:
    scene.change()
    before = scene.objects()
    with pytest.raises(ConflictError):
        await WRITES[name](kubernetes, scene)
    assert scene.objects() == before


@pytest.mark.parametrize("name", WRITES)
async def test_a_write_that_the_lease_may_not_outlast_is_not_sent(
    kubernetes: KubernetesClient, scene: Scene, name: str
) -> None:
    scene.fence.extend(WRITE_TIMEOUT + MARGIN - 0.5)
    with pytest.raises(NotLeadingError):
        await WRITES[name](kubernetes, scene)
    assert scene.asked == []
    scene.fence.extend(WRITE_TIMEOUT + MARGIN + 60)
    await WRITES[name](kubernetes, scene)
    assert len(scene.asked) == 1


async def test_a_read_needs_no_lease(kubernetes: KubernetesClient, scene: Scene) -> None:
    scene.fence.close()
    assert (await kubernetes.read(KEY))["metadata"]["uid"] == scene.resource.uid


async def test_only_a_status_of_the_api_server_means_that_an_object_does_not_exist(
    kubernetes: KubernetesClient, scene: Scene
) -> None:
    with pytest.raises(GoneError):
        await kubernetes.read(Key("shop", "unknown"))
    scene.page = "<html><body><h1>404 Not Found</h1></body></html>"
    for request in (kubernetes.read(KEY), *(write(kubernetes, scene) for write in WRITES.values())):
        with pytest.raises(ApiError, match="404"):
            await request


async def test_finalizers_of_others_are_kept(kubernetes: KubernetesClient, scene: Scene) -> None:
    prepared = parse(await kubernetes.add_finalizer(scene.resource, INTENT))
    assert prepared.finalizers == ("example.com/other", FINALIZER)
    await kubernetes.remove_finalizer(prepared)
    assert scene.cluster.mappings[KEY]["metadata"]["finalizers"] == ["example.com/other"]


@pytest.mark.parametrize("name", ["../secrets/x", "a/../../secrets/x", "x?a=b", "x#a", "%2e%2e/x"])
async def test_a_name_is_one_segment_of_a_path(kubernetes: KubernetesClient, scene: Scene, name: str) -> None:
    """The status records names, and its writers may forge them."""
    with pytest.raises(GoneError):
        await kubernetes.read_config_map("shop", name)
    assert scene.asked == [f"GET /api/v1/namespaces/shop/configmaps/{name}"]


@pytest.mark.parametrize("name", [".", ".."])
async def test_a_name_that_no_object_can_have_is_not_requested(
    kubernetes: KubernetesClient, scene: Scene, name: str
) -> None:
    with pytest.raises(ValueError, match="is not the name of an object"):
        await kubernetes.read_config_map("shop", name)
    assert scene.asked == []


@pytest.mark.parametrize("name", ["../secrets/x", "..", "a/b", "a?b", "A", "a" * 254, "a\n"])
def test_the_status_records_only_names_of_config_maps(name: str) -> None:
    assert OutputsRecord.parse({"configMapName": name, "message": "m"}) == OutputsRecord("", "m")
    assert OutputsRecord.parse({"configMapName": "orders.v1"}).config_map_name == "orders.v1"
