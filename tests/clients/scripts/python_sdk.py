"""A session of the Python SDK. Arguments: the mode of the client, and what to do as JSON."""

import asyncio
import json
import os
import sys
import time

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import ElicitResult
from processes import marked, until


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


async def start_endless(client, task):
    """A call that does not come back by itself, once its program runs."""
    if os.path.exists(task["ready"]):
        os.remove(task["ready"])
    call = asyncio.create_task(client.call_tool("profile_code", task["endless"]))
    await until("the program runs", lambda: call.done() or os.path.exists(task["ready"]))
    if call.done():
        raise RuntimeError(f"the call came back: {await call}")
    return call


async def outcome(call):
    """How a call ended that was given up."""
    try:
        result = await asyncio.wait_for(call, 60)
    except asyncio.CancelledError:
        return "cancelled"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return f"answered: {plain(result)}"


async def prompts(client, task, profile_id):
    if client.server_capabilities.prompts is None:
        return [], []
    listed = (await client.list_prompts()).prompts
    got = []
    for prompt in listed:
        # Those about one program take it as a path or as a profile, so that neither is required.
        names = [one.name for one in prompt.arguments or [] if one.required or one.name == "profile_id"]
        values = {name: task["prompt_values"].get(name, profile_id) for name in names}
        got.append(plain(await client.get_prompt(prompt.name, values)))
    return [prompt.name for prompt in listed], got


async def session(client, task, report):
    progress = []

    async def on_progress(value, total, message):
        progress.append({"progress": value, "message": message})

    report["protocol"] = client.protocol_version
    report["tools"] = [tool.name for tool in (await client.list_tools()).tools]
    profile = await client.call_tool("profile_code", task["short"], progress_callback=on_progress)
    report["profile"] = plain(profile)
    report["progress"] = progress
    profile_id = profile.structured_content["profile_id"]
    analysis = await client.call_tool("analyze_profile", {"profile_id": profile_id})
    report["analysis"] = plain(analysis)

    call = await start_endless(client, task)
    report["cancel"] = {"before": len(marked(task["run_mark"]))}
    call.cancel()
    report["cancel"]["outcome"] = await outcome(call)
    await until("the cancelled program ends", lambda: not marked(task["run_mark"]), 30)
    report["cancel"]["after"] = len(marked(task["run_mark"]))

    # Outside the roots of the server: a person is asked.
    result = await client.call_tool("profile_script", {"script_path": task["outside"], "memory": False})
    report["form"]["result"] = plain(result)

    report["resources"] = [plain(one)["uri"] for one in (await client.list_resources()).resources]
    templates = (await client.list_resource_templates()).resource_templates
    report["templates"] = [template.uri_template for template in templates]
    report["resource"] = plain(await client.read_resource(f"profile://{profile_id}"))
    report["prompts"], report["got_prompts"] = await prompts(client, task, profile_id)


async def main(mode, task):
    report = {"form": {"asked": []}}
    server = StdioServerParameters(command=task["server"], args=task["args"], env=task["env"], cwd=task["cwd"])

    async def person(context, params):
        report["form"]["asked"].append(params.message)
        return ElicitResult(action="accept", content={"answer": True})

    async with Client(stdio_client(server), mode=mode, elicitation_callback=person) as client:
        await session(client, task, report)
        call = await start_endless(client, task)
        report["shutdown"] = {"before": len(marked(task["run_mark"]))}
        closing = time.monotonic()
    report["shutdown"]["seconds"] = time.monotonic() - closing
    report["shutdown"]["outcome"] = await outcome(call)
    print(json.dumps(report))


asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
