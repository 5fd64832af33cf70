"""The gateway's own endpoints as a page, made from the OpenAPI document that the gateway serves."""

import json

METHODS = ("get", "post", "put", "patch", "delete")


def page(text):
    document = json.loads(text)
    lines = [
        f"# {document['info']['title']}: its own endpoints",
        "",
        f"{document['info']['summary']} {document['info']['description']}",
        "",
        "A running gateway serves this document at `/openapi.json`, with its own URL in it and without what it has not got; [openapi.json](openapi.json) is the file. The page is made from it.",
    ]
    operations = [
        (path, method, item, item[method]) for path, item in document["paths"].items() for method in METHODS if method in item
    ]
    for tag in document["tags"]:
        of_tag = [one for one in operations if tag["name"] in one[3]["tags"]]
        if not of_tag:
            continue
        lines += ["", f"## {tag['name']}", "", tag.get("description", "")]
        for path, method, item, operation in of_tag:
            lines += endpoint(document, path, method, item, operation)
    lines += ["", "## What they send and answer"]
    for name, schema in document["components"]["schemas"].items():
        lines += ["", f"### {name}", "", schema.get("description", "")] + members(document, schema)
    told = sum(line.startswith("### `") for line in lines)
    if told != len(operations):
        raise ValueError(f"{len(operations)} operations, and {told} of them on the page: one of them has no tag of the list")
    return "\n".join(lines) + "\n"


def endpoint(document, path, method, item, operation):
    lines = ["", f"### `{method.upper()} {path}`", "", operation["summary"] + "."]
    if operation.get("description"):
        lines += ["", operation["description"]]
    if item.get("x-door"):
        lines += ["", f"Only where `[{item['x-door']}]` is not closed."]
    if operation.get("security"):
        names = [" and ".join(f"`{name}`" for name in way) or "nothing" for way in operation["security"]]
        lines += ["", "Proves itself by: " + ", or ".join(names) + "."]
    parameters = [resolved(document, one) for one in item.get("parameters", []) + operation.get("parameters", [])]
    if parameters:
        lines += ["", "| parameter | in | | |", "|---|---|---|---|"]
        for one in parameters:
            needed = "required" if one.get("required") else ""
            says = "; ".join(filter(None, [kind(one["schema"]), one.get("description")]))
            lines.append(row(f"`{one['name']}`", one["in"], needed, says))
    body = resolved(document, operation.get("requestBody", {}))
    for media, content in body.get("content", {}).items():
        schema = content["schema"]
        lines += ["", f"Takes `{media}`{': ' + kind(schema) if '$ref' in schema else ''}."]
        if schema.get("description"):
            lines += ["", schema["description"]]
        for variant in schema.get("oneOf", [schema]):
            if variant.get("title") and variant is not schema:
                lines += ["", f"**{variant['title']}**"]
            lines += members(document, variant)
    lines += ["", "| answers | with | |", "|---|---|---|"]
    for status, response in operation["responses"].items():
        response = resolved(document, response)
        contents = [f"`{media}`: {kind(content.get('schema', {}))}" for media, content in response.get("content", {}).items()]
        lines.append(row(status, "; ".join(contents), response.get("description", "")))
    return lines


def members(document, schema):
    if "properties" not in schema:
        return []
    lines = ["", "| member | | what | |", "|---|---|---|---|"]
    for name, member in schema["properties"].items():
        needed = "required" if name in schema.get("required", []) else ""
        lines.append(row(f"`{name}`", needed, kind(member), resolved(document, member).get("description", "") if "$ref" not in member else ""))
    return lines


def resolved(document, value):
    while "$ref" in value:
        at = document
        for name in value["$ref"].removeprefix("#/").split("/"):
            at = at[name]
        value = at
    return value


def kind(schema):
    """What stands there, in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})" if "/schemas/" in schema["$ref"] else name
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(one)}`" for one in schema["enum"])
    for several in ("oneOf", "anyOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(kind(one) for one in schema[several]))
    if schema.get("type") == "array":
        return f"a list of: {kind(schema.get('items', {}))}"
    named = schema.get("type", "anything")
    named = " or ".join(named) if isinstance(named, list) else named
    bounds = [f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to"), ("maxLength", "at most")) if key in schema]
    return " ".join([named, *filter(None, [schema.get("format")]), *bounds])


def row(*cells):
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
