// A session of a TypeScript SDK. What differs between its versions is in `sdk`.

import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The processes that have this `NAME=VALUE` in their environment and have not ended. */
function marked(mark) {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/environ`, "utf8").split("\0").includes(mark);
    } catch {
      return false; // It ended meanwhile, or is another user's.
    }
  });
}

async function until(what, condition, seconds = 90) {
  const end = performance.now() + seconds * 1000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`never: ${what}`);
    await pause(50);
  }
}

/** A call that does not come back by itself, once its program runs; in an object, or `await` would wait for it. */
async function startEndless(sdk, client, task, signal) {
  rmSync(task.ready, { force: true });
  let ended = null;
  const call = sdk.call(client, "profile_code", task.endless, { signal, timeout: 600_000 }).then(
    (result) => (ended = `answered: ${JSON.stringify(result)}`),
    (error) => (ended = `${error.name}: ${error.message}`),
  );
  await until("the program runs", () => ended !== null || existsSync(task.ready));
  if (ended !== null) throw new Error(`the call came back: ${ended}`);
  return { call };
}

async function prompts(client, task, profileId) {
  if (!client.getServerCapabilities().prompts) return { prompts: [], got_prompts: [] };
  const listed = (await client.listPrompts()).prompts;
  const got = [];
  for (const prompt of listed) {
    // Those about one program take it as a path or as a profile, so that neither is required.
    const wanted = (argument) => argument.required || argument.name === "profile_id";
    const values = (prompt.arguments ?? []).filter(wanted).map(({ name }) => [name, task.prompt_values[name] ?? profileId]);
    got.push(await client.getPrompt({ name: prompt.name, arguments: Object.fromEntries(values) }));
  }
  return { prompts: listed.map((prompt) => prompt.name), got_prompts: got };
}

/** Runs the session and prints what happened as one line of JSON. */
export async function session(sdk) {
  const task = JSON.parse(process.argv[3]);
  const asked = [];
  const person = async (request) => {
    asked.push(request.params.message);
    return { action: "accept", content: { answer: true } };
  };
  const server = { command: task.server, args: task.args, env: { ...sdk.environment(), ...task.env }, cwd: task.cwd };
  const { client, protocol } = await sdk.connect(server, process.argv[2], person);
  const report = { protocol: protocol() };
  report.tools = (await client.listTools()).tools.map((tool) => tool.name);

  report.progress = [];
  const onprogress = ({ progress, message }) => report.progress.push({ progress, message });
  const options = { onprogress, timeout: 600_000 };
  report.profile = await sdk.call(client, "profile_code", task.short, options);
  const id = report.profile.structuredContent.profile_id;
  report.analysis = await sdk.call(client, "analyze_profile", { profile_id: id }, {});

  const cancel = new AbortController();
  const takenBack = await startEndless(sdk, client, task, cancel.signal);
  report.cancel = { before: marked(task.run_mark).length };
  cancel.abort("no longer needed");
  report.cancel.outcome = await takenBack.call;
  await until("the cancelled program ends", () => marked(task.run_mark).length === 0, 30);
  report.cancel.after = marked(task.run_mark).length;

  // Outside the roots of the server: a person is asked.
  const outside = { script_path: task.outside, memory: false };
  report.form = { asked, result: await sdk.call(client, "profile_script", outside, { timeout: 600_000 }) };

  report.resources = (await client.listResources()).resources.map((resource) => resource.uri);
  const { resourceTemplates } = await client.listResourceTemplates();
  report.templates = resourceTemplates.map((template) => template.uriTemplate);
  report.resource = await client.readResource({ uri: `profile://${id}` });
  Object.assign(report, await prompts(client, task, id));

  const inFlight = await startEndless(sdk, client, task);
  report.shutdown = { before: marked(task.run_mark).length };
  const closing = performance.now();
  await client.close();
  report.shutdown.seconds = (performance.now() - closing) / 1000;
  report.shutdown.outcome = await inFlight.call;
  console.log(JSON.stringify(report));
}
