# SPDX-License-Identifier: GPL-3.0-or-later
"""See branches and registers, switch branches on and off, and change the product map."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from tillbridge.errors import Declined, SettingsError
from tillbridge.product_file import parse_product_map
from tillbridge.service.administration_port import ApiKey, ProductMapVersion
from tillbridge.service.products import change_product_map, switch_branch
from tillbridge.service.store_port import Transaction
from tillbridge.web.access import Administrator, ReaderOrPayer, TheBridge, need_branch
from tillbridge.web.api.forms import ProductMapForm, SwitchForm, Version
from tillbridge.web.api.shapes import BranchList, BranchShape, ProductMapShape, RegisterList, VersionList
from tillbridge.web.problems import answers
from tillbridge.web.views import iso, switch_view

routes = APIRouter(tags=["branches"])
API = "api"
VERSIONS = 100


@routes.get("/branches", response_model=BranchList, responses=answers())
async def listed(caller: ReaderOrPayer, bridge: TheBridge) -> Any:
    """List the branches, with whether they are on, who switched them, and their registers."""
    names = [name for name in bridge.world.branches if caller.branches is None or name in caller.branches]
    return {"branches": await bridge.world.store.read(lambda tx: [_view(tx, bridge, name) for name in names])}


@routes.get("/branches/{branch}/registers", response_model=RegisterList, responses=answers(404))
async def registers(branch: str, caller: ReaderOrPayer, bridge: TheBridge) -> Any:
    """List a branch's registers, with when each was last heard of."""
    _known(bridge, caller, branch)
    return {"registers": await bridge.world.store.read(lambda tx: _registers(tx, bridge, branch))}


@routes.put("/branches/{branch}/switch", response_model=BranchShape, responses=answers(404))
async def switch(branch: str, form: SwitchForm, caller: Administrator, bridge: TheBridge) -> Any:
    """Switch payments at the register on or off for a branch; payments that are under way go on."""
    _known(bridge, caller, branch)
    await switch_branch(bridge.world, branch, form.person, form.reason, on=form.on)
    return await bridge.world.store.read(lambda tx: _view(tx, bridge, branch))


@routes.get("/product-map", response_model=ProductMapShape, responses=answers(404))
async def product_map(caller: ReaderOrPayer, bridge: TheBridge) -> Any:
    """Show the product map that counts, as its text."""
    del caller
    return _map_view(await bridge.world.store.read(lambda tx: tx.product_map()))


@routes.put("/product-map", response_model=ProductMapShape, responses=answers())
async def replace_product_map(form: ProductMapForm, caller: Administrator, bridge: TheBridge) -> Any:
    """Replace the product map, for all branches; one that cannot be read changes nothing."""
    if caller.branches is not None:
        raise Declined("branch_not_allowed", "This key is for some branches, and the product map is for all.")
    try:
        parse_product_map(form.text, "product map")
    except SettingsError as error:
        raise Declined("wrong_product_map", str(error)) from error
    return _map_view(await change_product_map(bridge.world, form.text, form.person, API))


@routes.get("/product-map/versions", response_model=VersionList, responses=answers())
async def versions(caller: ReaderOrPayer, bridge: TheBridge) -> Any:
    """List the newest versions of the product map, newest first, without their texts."""
    del caller
    found = await bridge.world.store.read(lambda tx: tx.product_map_versions(VERSIONS))
    return {"versions": [_version_view(version) for version in found]}


@routes.get("/product-map/versions/{version}", response_model=ProductMapShape, responses=answers(404))
async def one_version(version: Version, caller: ReaderOrPayer, bridge: TheBridge) -> Any:
    """Show one version of the product map."""
    del caller
    return _map_view(await bridge.world.store.read(lambda tx: tx.product_map(version)))


def _known(bridge: TheBridge, caller: ApiKey, branch: str) -> None:
    if branch not in bridge.world.branches:
        raise Declined("no_such_branch", f"There is no branch {branch} in the settings.")
    need_branch(caller, branch)


def _view(tx: Transaction, bridge: TheBridge, name: str) -> dict[str, Any]:
    switched = bridge.world.products.switch_of(name)
    return {
        "branch": name,
        "name": bridge.world.branches[name].name,
        "register_server": bridge.world.branches[name].register_server,
        "on": bridge.world.products.is_on(name),
        "switched": switch_view(switched) if switched else None,
        "registers": _registers(tx, bridge, name),
    }


def _registers(tx: Transaction, bridge: TheBridge, branch: str) -> list[dict[str, Any]]:
    named = bridge.world.branches[branch].registers
    heard = {number: tx.register_heard_at(branch, number) for number in named}
    return [
        {"register": number, "name": name, "heard_at": None if heard[number] is None else iso(heard[number] or 0.0)}
        for number, name in named.items()
    ]


def _version_view(version: ProductMapVersion) -> dict[str, Any]:
    return {"version": version.version, "at": iso(version.at), "by": version.by, "origin": version.origin}


def _map_view(version: ProductMapVersion | None) -> dict[str, Any]:
    if version is None:
        raise Declined("no_such_version", "There is no such version of the product map.")
    return _version_view(version) | {"text": version.text}
