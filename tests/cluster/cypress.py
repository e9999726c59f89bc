"""Commands that read and change the tree: get, list, exists, set, create, remove."""

from __future__ import annotations

from typing import Any

from tests.cluster import attributes, building
from tests.cluster.errors import ClusterError, already_exists, generic, no_such_node
from tests.cluster.nodes import MAPS, SCALARS, Node
from tests.cluster.paths import RichPath
from tests.cluster.requests import Command, Request
from tests.cluster.state import State
from tests.cluster.tree import Place
from tests.cluster.values import with_attributes


def _path(request: Request, name: str = "path") -> RichPath:
    if name not in request.parameters:
        raise generic(f'Missing required parameter "{name}"')
    return RichPath.of(request.parameters[name])


def _answer(request: Request, value: Any) -> Any:
    return value if request.get("return_only_value") else {"value": value}


def _names(request: Request) -> list[str] | None:
    names = request.get("attributes")
    if isinstance(names, dict):
        names = names.get("keys")
    return None if names is None else [str(name) for name in names]


def _content(state: State, node: Any, names: list[str] | None, tx: str | None, top: bool = True) -> Any:
    """The value that `get` shows for an object, with the asked attributes at every level."""
    tree = state.tree
    if not isinstance(node, Node) or node.type in ("file", "table", "link"):
        value = None
    elif node.type == "map_node":
        children = {key: tree.objects[child] for key, child in tree.children(node, tx).items()}
        value = {key: _content(state, child, names, tx, False) for key, child in sorted(children.items())}
    elif node.type in MAPS:
        value = dict.fromkeys(tree.children(node, tx))
    else:
        value = tree.field(node, tx, "value")
    shown = attributes.chosen(tree, node, names, tx) if names else {}
    if isinstance(node, Node) and node.type == "document" and not top:
        value, shown = None, {**shown, "opaque": True}
    return with_attributes(value, shown) if shown else value


def _descend(value: Any, keys: tuple[str, ...], path: RichPath) -> Any:
    """What lies at `keys` inside an attribute's or a document's value."""
    for key in keys:
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.lstrip("-").isdigit() and -len(value) <= int(key) < len(value):
            value = value[int(key)]
        else:
            raise no_such_node(path.text, f'Node has no child with key "{key}"')
    return value


def _document(place: Place) -> Node | None:
    """The document that a path leads into."""
    is_inside = place.target is None and place.parent is not None and place.parent.type == "document"
    return place.parent if is_inside and place.attribute is None else None


def get_value(state: State, request: Request, access: bool = True) -> Any:
    """What a path leads to: a node's content, an attribute, a part of a document."""
    path, tx, names = _path(request), request.transaction, _names(request)
    place = state.tree.locate(path, tx, access=access)
    document = _document(place)
    if document is not None:
        return _descend(state.tree.field(document, tx, "value"), place.missing, path)
    if place.target is None:
        raise state.tree.missing(place)
    if place.attribute is None:
        return _content(state, place.target, names, tx)
    if not place.attribute:
        everything = attributes.all_of(state.tree, place.target, tx)
        return everything if names is None else {name: everything[name] for name in names if name in everything}
    value = attributes.get(state.tree, place.target, place.attribute[0], tx)
    return _descend(value, place.attribute[1:], path)


def get(state: State, request: Request) -> Any:
    """`get`."""
    return _answer(request, get_value(state, request))


def exists(state: State, request: Request) -> Any:
    """`exists`: a broken link does not exist, `link&` does."""
    try:
        get_value(state, request, access=False)
    except ClusterError as error:
        if error.code != 500:
            raise
        return {"value": False}
    return {"value": True}


def list_(state: State, request: Request) -> Any:
    """`list`: the keys of a map, in no order that could be relied upon."""
    path, tx, names = _path(request), request.transaction, _names(request)
    place = state.tree.locate(path, tx)
    if place.target is None:
        raise state.tree.missing(place)
    if place.attribute is not None:
        value = get_value(state, request)
        if not isinstance(value, dict):
            raise ClusterError(103, '"List" method is not supported')
        return _answer(request, list(value))
    if not isinstance(place.target, Node) or place.target.type not in MAPS:
        raise ClusterError(103, '"List" method is not supported')
    children = state.tree.children(place.target, tx)
    limit = request.get("max_size")
    shown = []
    for key in list(children)[:limit]:
        found = attributes.chosen(state.tree, state.tree.objects[children[key]], names, tx) if names else {}
        shown.append(with_attributes(key, found) if found else key)
    incomplete = limit is not None and len(children) > limit
    return _answer(request, with_attributes(shown, {"incomplete": True}) if incomplete else shown)


def set_(state: State, request: Request) -> Any:
    """`set`: an attribute, a new scalar or map node, or a document's value."""
    path, tx = _path(request), request.transaction
    place = state.tree.locate(path, tx)
    document = _document(place)
    if place.attribute is not None:
        if place.target is None:
            raise state.tree.missing(place)
        _set_attribute(state, place, request.input, tx)
    elif document is not None:
        whole = building.copied(state.tree.field(document, tx, "value"))
        _put_inside(whole, place.missing, request.input, path)
        building.put_value(state.tree, document, whole, tx)
    elif place.target is None:
        parent, key = building.parent_for(state, place, tx, bool(request.get("recursive")))
        _check_force(request)
        building.from_value(state.tree, parent, key, request.input, tx)
    else:
        _replace(state, place.target, request, tx)
    return {}


def _set_attribute(state: State, place: Place, value: Any, tx: str | None) -> None:
    names = place.attribute or ()
    if not isinstance(place.target, Node):
        if place.target.type != "transaction" or len(names) != 1:
            raise generic(f"Cannot set attributes of a {place.target.type}")
        place.target.attributes[names[0]] = value
    elif not names:
        if not isinstance(value, dict):
            raise generic("Attributes must be set to a map")
        for name in [name for name in state.tree.user_attributes(place.target, tx) if name not in value]:
            attributes.drop(state.tree, place.target, name, tx)
        for name, each in value.items():
            attributes.put(state.tree, place.target, name, each, tx)
    elif len(names) == 1:
        attributes.put(state.tree, place.target, names[0], value, tx)
    else:
        whole = building.copied(attributes.get(state.tree, place.target, names[0], tx))
        _put_inside(whole, names[1:], value, place.path)
        attributes.put(state.tree, place.target, names[0], whole, tx)


def _put_inside(whole: Any, keys: tuple[str, ...], value: Any, path: RichPath) -> None:
    holder = _descend(whole, keys[:-1], path)
    if not isinstance(holder, dict):
        raise no_such_node(path.text, "The value there is no map")
    holder[keys[-1]] = value


def _check_force(request: Request) -> None:
    """Only the forced `set` makes or replaces map nodes."""
    if isinstance(request.input, dict) and not request.get("force"):
        raise generic('Command "set" is forbidden in Cypress, use "create" instead')


def _replace(state: State, node: Any, request: Request, tx: str | None) -> None:
    kind = building.type_of_value(request.input)
    if not isinstance(node, Node):
        raise generic(f"A {node.type} cannot be set")
    if node.type == "document" or (node.type in SCALARS and node.type == kind):
        building.put_value(state.tree, node, request.input, tx)
    elif node.type == "map_node" and kind == "map_node":
        _check_force(request)
        for child in list(state.tree.children(node, tx).values()):
            state.tree.remove(state.tree.objects[child], tx)
        for key, value in request.input.items():
            building.from_value(state.tree, node, key, value, tx)
    else:
        raise generic(f"{state.tree.path_of(node)}: a {node.type} cannot be set to a value of {kind}")


def create(state: State, request: Request) -> Any:
    """`create`."""
    path, tx, kind = _path(request), request.transaction, str(request.get("type"))
    if path.steps.attribute is not None:
        raise generic("Cannot create an attribute; use set")
    place = state.tree.locate(path, tx, follow=False)
    wanted = {**path.attributes, **(request.get("attributes") or {})}
    force = bool(request.get("force"))
    if isinstance(place.target, Node):
        node = place.target
        if request.get("ignore_existing") and not force:
            same = node if kind == "link" else state.tree.node(path, tx)
            if same.type != kind and not request.get("ignore_type_mismatch"):
                about = f'{path.text} already exists and has type "{same.type}"'
                raise ClusterError(501, f'{about} while node of "{kind}" type is about to be created')
            if request.get("lock_existing"):
                state.tree.lock(same, tx, "exclusive")
            return {"node_id": same.id}
        if not force:
            raise already_exists(state.tree.path_of(node))
        building.check_attributes(kind, wanted)
        parent, key = node.parent, node.key
        if parent is None:
            raise generic("The root cannot be replaced")
        state.tree.remove(node, tx)
    else:
        building.check_attributes(kind, wanted)
        parent, key = building.parent_for(state, place, tx, bool(request.get("recursive")))
    return {"node_id": building.new_node(state, parent, key, kind, wanted, tx).id}


def remove(state: State, request: Request) -> Any:
    """`remove`: a node, an attribute, or with `/*` all children."""
    path, tx = _path(request), request.transaction
    force, recursive = bool(request.get("force")), bool(request.get("recursive", True))
    place = state.tree.locate(path, tx, follow=path.steps.wildcard)
    if place.target is None:
        if force and place.parent is not None:
            return {}
        raise state.tree.missing(place)
    if place.attribute is not None:
        _remove_attribute(state, place, force, tx)
        return {}
    if not isinstance(place.target, Node):
        raise generic(f"A {place.target.type} cannot be removed")
    if path.steps.wildcard:
        for child in list(state.tree.children(place.target, tx).values()):
            state.tree.remove(state.tree.objects[child], tx)
        return {}
    if not recursive and place.target.type in MAPS and state.tree.children(place.target, tx):
        raise generic("Cannot remove non-empty composite node")
    state.tree.remove(place.target, tx)
    return {}


def _remove_attribute(state: State, place: Place, force: bool, tx: str | None) -> None:
    names = place.attribute or ()
    own = state.tree.user_attributes(place.target, tx) if isinstance(place.target, Node) else {}
    if not names:
        for name in list(own):
            attributes.drop(state.tree, place.target, name, tx)
    elif len(names) > 1:
        whole = building.copied(attributes.get(state.tree, place.target, names[0], tx))
        holder = _descend(whole, names[1:-1], place.path)
        if not isinstance(holder, dict) or names[-1] not in holder:
            raise no_such_node(place.path.text, f'Node has no child with key "{names[-1]}"')
        del holder[names[-1]]
        attributes.put(state.tree, place.target, names[0], whole, tx)
    elif not (force and names[0] not in own):
        attributes.drop(state.tree, place.target, names[0], tx)


COMMANDS = [
    Command("get", "null", "structured", False, False, get),
    Command("list", "null", "structured", False, False, list_),
    Command("exists", "null", "structured", False, False, exists),
    Command("set", "structured", "structured", True, False, set_),
    Command("create", "null", "structured", True, False, create),
    Command("remove", "null", "structured", True, False, remove),
]
