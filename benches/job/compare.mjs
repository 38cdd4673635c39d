// Drives the three sides in turn against one running site, and prints what each took. Arguments: PORT FOLDER OURS
// All three are started and warm before the first measured block; a side that has nothing to do waits for its input.
import { spawn } from "node:child_process";
import readline from "node:readline";

const [port, folder, ours] = process.argv.slice(2);
const rounds = Number(process.env.ROUNDS ?? 6);
const count = Number(process.env.COUNT ?? 5);
const parts = ["session", "look up", "open", "fill", "pictures", "send", "read back"];

function side(name, program, ...args) {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.on("close", resolve));
  // That it is gone is told by its output.
  child.stdin.on("error", () => {});
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const block = async (first, n, evidence) => {
    child.stdin.write(`${first} ${n} ${evidence}\n`);
    const answers = [];
    while (answers.length < n) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`${name} ended in the middle of a block`);
      answers.push(JSON.parse(value));
    }
    return answers;
  };
  return { name, block, child, close: () => (child.stdin.end(), ended) };
}

const sides = [
  side("ours", ours, port),
  side("playwright", process.execPath, "benches/job/playwright.mjs", port, folder),
  side("site", process.execPath, "benches/job/site.mjs", port),
];
const log = async () => (await (await fetch(`http://127.0.0.1:${port}/_site/log`)).json()).map((r) => `${r.method} ${r.path} ${r.status}`);

const sorted = (list) => list.toSorted((a, b) => a - b);
const median = (list) => {
  const all = sorted(list);
  return (all[(all.length - 1) >> 1] + all[all.length >> 1]) / 2;
};
const p95 = (list) => sorted(list)[Math.ceil(list.length * 0.95) - 1];
const table = (head, rows) => {
  for (const row of [head, ...rows]) console.log(`| ${row.map((cell, i) => (i ? String(cell).padStart(10) : String(cell).padEnd(10))).join(" | ")} |`);
};
const ms = (value) => value.toFixed(1);

async function measure() {
  let next = 1;
  const ask = async (who, n, evidence) => {
    const answers = await who.block(next, n, evidence);
    next += n;
    return answers;
  };
  // Warm-up, and a look whether all three ask the same of the site.
  const asked = {};
  for (const who of sides) {
    await ask(who, 3, "none");
    await ask(who, 3, "commit");
    const before = (await log()).length;
    await ask(who, 1, "commit");
    asked[who.name] = (await log()).slice(before);
  }
  for (const { name } of sides) {
    console.log(`requests of one create, ${name}: ${asked[name].length}${asked[name].join() === asked.site.join() ? "" : ` (not the same: ${asked[name].join(", ")})`}`);
  }
  const kinds = ["commit", "none"];
  const all = Object.fromEntries(kinds.map((kind) => [kind, Object.fromEntries(sides.map(({ name }) => [name, []]))]));
  const ratios = { commit: [], none: [] };
  for (let round = 0; round < rounds; round++) {
    for (const evidence of kinds) {
      const middle = {};
      // Who begins changes with every round.
      for (let turn = 0; turn < sides.length; turn++) {
        const who = sides[(round + turn) % sides.length];
        const answers = await ask(who, count, evidence);
        all[evidence][who.name].push(...answers);
        middle[who.name] = median(answers.map((a) => a.ms));
      }
      ratios[evidence].push(middle.ours / middle.playwright);
    }
  }
  for (const evidence of kinds) {
    const of = (name) => all[evidence][name].map((a) => a.ms);
    const site = median(of("site"));
    console.log(`\nOne create job, ${evidence === "none" ? "without pictures" : "with two pictures"}, n=${rounds * count} each, ms\n`);
    table(["", "median", "p95", "over site"], [["---", "---:", "---:", "---:"], ...sides.map(({ name }) => [name, ms(median(of(name))), ms(p95(of(name))), name === "site" ? "" : ms(median(of(name)) - site)])]);
    const [mine, theirs] = [median(of("ours")), median(of("playwright"))];
    console.log(`\nours / Playwright = ${(mine / theirs).toFixed(2)} (rounds: ${sorted(ratios[evidence]).map((r) => r.toFixed(2)).join(" ")}); over the site's own time: ${((mine - site) / (theirs - site)).toFixed(2)}\n`);
    const part = (name, part) => median(all[evidence][name].map((a) => a.parts[part] ?? 0));
    table(["part", ...sides.map((s) => s.name)], [["---", "---:", "---:", "---:"], ...parts.map((p) => [p, ...sides.map((s) => ms(part(s.name, p)))])]);
  }
}

let failed;
try {
  await measure();
} catch (error) {
  failed = error;
}
// The end of its input ends each side and its browser; one that does not end by itself is killed.
const late = setTimeout(() => sides.forEach(({ child }) => child.kill("SIGKILL")), 10_000);
await Promise.all(sides.map((who) => who.close()));
clearTimeout(late);
if (failed) {
  console.error(String(failed));
  process.exit(1);
}
