"""The control API, with which tests, the demo and people read and change the state of the server.

It is JSON over HTTP, under a path that AWS does not have. Its calls count against no quota, and faults do not act on
them.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields, replace
from typing import Any, cast

from aiohttp import web

from . import moto_app
from .arns import DEFAULT_ACCOUNT, DEFAULT_REGION, parse_function
from .cloud import Cloud
from .configuration import created
from .errors import AwsError
from .faults import Fault, Kind
from .mappings import Mapping
from .model import answer_members
from .settings import Settings
from .sources import source_of
from .world import Population, World

PREFIX = "/_control"

Handler = Callable[[web.Request], Awaitable[web.Response]]


def control_routes(cloud: Cloud) -> list[web.RouteDef]:
    control = _Control(cloud)
    routes: list[tuple[str, str, Handler]] = [
        ("GET", "counts", control.counts),
        ("DELETE", "counts", control.reset_counts),
        ("GET", "requests", control.requests),
        ("GET", "changes", control.changes),
        ("GET", "settings", control.settings),
        ("PUT", "settings", control.change_settings),
        ("GET", "world", control.world),
        ("PUT", "world", control.change_world),
        ("PUT", "policies/{account:\\d+}", control.set_policy),
        ("GET", "faults", control.faults),
        ("POST", "faults", control.add_fault),
        ("DELETE", "faults", control.clear_faults),
        ("DELETE", "faults/{id:\\d+}", control.remove_fault),
        ("GET", "mappings", control.mappings),
        ("POST", "mappings", control.make_mapping),
        ("POST", "mappings/many", control.make_mappings),
        ("PATCH", "mappings/{uuid}", control.edit_mapping),
        ("DELETE", "mappings/{uuid}", control.delete_mapping),
        ("POST", "mappings/{uuid}/settle", control.settle_mapping),
        ("POST", "reset", control.reset),
    ]
    return [web.route(method, f"{PREFIX}/{path}", _guarded(handler)) for method, path, handler in routes]


def _guarded(handler: Handler) -> Handler:
    """The answer to an invalid request, with the reason."""

    async def guarded(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except (AwsError, KeyError, TypeError, ValueError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)

    return guarded


class _Control:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._settings_at_start = cloud.settings
        self._population_at_start = cloud.world.population

    async def counts(self, _request: web.Request) -> web.Response:
        return web.json_response(self._cloud.ledger.counts())

    async def reset_counts(self, _request: web.Request) -> web.Response:
        counts = self._cloud.ledger.counts()
        self._cloud.ledger.reset()
        return web.json_response(counts)

    async def requests(self, request: web.Request) -> web.Response:
        last = int(request.query.get("last", 100))
        return web.json_response(list(self._cloud.ledger.log)[-last:])

    async def changes(self, _request: web.Request) -> web.Response:
        return web.json_response(self._cloud.ledger.changes)

    async def settings(self, _request: web.Request) -> web.Response:
        return web.json_response(asdict(self._cloud.settings))

    async def change_settings(self, request: web.Request) -> web.Response:
        changes = _known(await request.json(), {entry.name for entry in fields(Settings)})
        self._cloud.apply(replace(self._cloud.settings, **changes))
        return web.json_response(asdict(self._cloud.settings))

    async def world(self, _request: web.Request) -> web.Response:
        return web.json_response(_world(self._cloud.world))

    async def change_world(self, request: web.Request) -> web.Response:
        world = self._cloud.world
        for name, value in _known(await request.json(), {entry.name for entry in fields(World)}).items():
            setattr(world, name, Population(value) if name == "population" else set(value))
        return web.json_response(_world(world))

    async def set_policy(self, request: web.Request) -> web.Response:
        self._cloud.policies[request.match_info["account"]] = await request.json()
        return web.json_response({})

    async def faults(self, _request: web.Request) -> web.Response:
        return web.json_response(self._cloud.faults.described())

    async def add_fault(self, request: web.Request) -> web.Response:
        members = _known(await request.json(), {entry.name for entry in fields(Fault)} - {"hits", "until"})
        fault = Fault(Kind(members.pop("kind")), **members)
        return web.json_response({"id": self._cloud.faults.add(fault)}, status=201)

    async def clear_faults(self, _request: web.Request) -> web.Response:
        self._cloud.faults.clear()
        return web.json_response({})

    async def remove_fault(self, request: web.Request) -> web.Response:
        return web.json_response({"removed": self._cloud.faults.remove(int(request.match_info["id"]))})

    async def mappings(self, request: web.Request) -> web.Response:
        self._cloud.settle()
        account, region = request.query.get("account"), request.query.get("region")
        return web.json_response(
            [
                _described(mapping)
                for mapping in self._cloud.every_mapping()
                if account in (None, mapping.account) and region in (None, mapping.region)
            ]
        )

    async def make_mapping(self, request: web.Request) -> web.Response:
        """A mapping that another tool created an hour ago. It is enabled, and has only the given tags."""
        return web.json_response(_described(self._make(await request.json())), status=201)

    async def make_mappings(self, request: web.Request) -> web.Response:
        """Create `count` mappings. `{n}` in a text becomes the number of the mapping."""
        asked = await request.json()
        made = [self._make(_numbered(asked["mapping"], number)).uuid for number in range(asked["count"])]
        return web.json_response(made, status=201)

    def _make(self, asked: dict[str, Any]) -> Mapping:
        account, region = asked.pop("account", DEFAULT_ACCOUNT), asked.pop("region", DEFAULT_REGION)
        source, new = source_of(asked), str(uuid.uuid4())
        mapping = self._cloud.make(account, region, asked, source, new, created(source, new, asked))
        mapping.last_modified -= 3600
        self._cloud.mappings(account, region).add(mapping)
        if asked.get("Tags"):
            self._cloud.tag(mapping, asked["Tags"])
        return mapping

    async def edit_mapping(self, request: web.Request) -> web.Response:
        """Change a mapping as another tool does. Members are those of AWS's answers. null removes a member."""
        self._cloud.settle()
        mapping = self._mapping(request)
        for name, value in _known(await request.json(), answer_members() | {"Tags"}).items():
            self._edit(mapping, name, value)
        return web.json_response(_described(mapping))

    async def delete_mapping(self, request: web.Request) -> web.Response:
        """Delete a mapping immediately, without a transition."""
        self._cloud.remove(self._mapping(request))
        return web.json_response({})

    async def settle_mapping(self, request: web.Request) -> web.Response:
        """End this mapping's transition now, even while transitions are held."""
        mapping = self._mapping(request)
        self._cloud.finish(mapping)
        return web.json_response(_described(mapping))

    async def reset(self, _request: web.Request) -> web.Response:
        """Reset the server: no mappings, faults and counts, an empty moto, and the settings of the command line."""
        self._cloud.settings = self._settings_at_start
        self._cloud.world = World(self._population_at_start)
        self._cloud.reset()
        self._cloud.ledger.changes.clear()
        moto_app.reset()
        return web.json_response({})

    def _mapping(self, request: web.Request) -> Mapping:
        wanted = request.match_info["uuid"]
        for mapping in self._cloud.every_mapping():
            if mapping.uuid == wanted:
                return mapping
        raise web.HTTPNotFound(text=f"no mapping {wanted}")

    def _edit(self, mapping: Mapping, name: str, value: Any) -> None:
        match name:
            case "Tags":
                self._cloud.tag(mapping, value or {})
            case "State":
                if value in ("Enabled", "Disabled"):
                    mapping.enabled = value == "Enabled"
                self._cloud.enter(mapping, value)
            case "StateTransitionReason":
                mapping.reason = value
            case "LastProcessingResult":
                mapping.last_processing_result = value
            case "FilterCriteriaError":
                mapping.filter_criteria_error = value
            case "FunctionArn":
                mapping.function = parse_function(value, mapping.account, mapping.region)
            case "LastModified":
                mapping.last_modified = value
            case "UUID" | "EventSourceMappingArn" | "EventSourceArn":
                raise ValueError(f"{name} cannot be changed")
            case _ if value is None:
                mapping.config.pop(name, None)
            case _:
                mapping.config[name] = value
        mapping.forget_answers()


def _numbered(value: Any, number: int) -> Any:
    if isinstance(value, str):
        return value.replace("{n}", str(number))
    if isinstance(value, dict):
        return {name: _numbered(each, number) for name, each in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [_numbered(each, number) for each in cast(list[Any], value)]
    return value


def _described(mapping: Mapping) -> dict[str, Any]:
    return {
        **mapping.members(),
        "Tags": mapping.tags,
        "account": mapping.account,
        "region": mapping.region,
        "source": mapping.source,
    }


def _world(world: World) -> dict[str, Any]:
    return {name: list(value) if name != "population" else value for name, value in asdict(world).items()}


def _known(members: dict[str, Any], names: frozenset[str] | set[str]) -> dict[str, Any]:
    if unknown := set(members) - names:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(names))}")
    return members
