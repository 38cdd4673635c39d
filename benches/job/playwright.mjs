// The same job, written by hand with Playwright: look, act, read back. Arguments: PORT FOLDER
// Every line of standard input asks for a block, `FIRST COUNT EVIDENCE`; every create is answered with one line of JSON.
import readline from "node:readline";
import { chromium } from "playwright-core";

const [port, folder] = process.argv.slice(2);
const base = `http://acme.ledgerly.localhost:${port}`;
const browser = await chromium.launch({ executablePath: "/usr/lib/chromium/chromium-headless-shell", args: ["--no-sandbox"] });
const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
const table = page.getByRole("table", { name: "Members" });

async function find(email) {
  await page.goto(`${base}/members`, { waitUntil: "domcontentloaded" });
  await page.getByLabel("Search members").fill(email);
  await page.getByLabel("Search members").press("Enter");
  await page.waitForURL(/q=/, { waitUntil: "commit" });
  const row = table.getByRole("row").filter({ has: page.getByRole("cell", { name: email, exact: true }) });
  await row.or(page.getByText("No members match")).first().waitFor();
  if ((await row.count()) === 0) return null;
  return row.getByRole("cell").allInnerTexts();
}

async function create(n, evidence) {
  const email = `bench${n}@acme.example`;
  const begun = performance.now();
  let since = begun;
  const parts = {};
  const ended = (part) => {
    const now = performance.now();
    parts[part] = (parts[part] ?? 0) + now - since;
    since = now;
  };
  const picture = async (when) => {
    if (evidence === "none") return;
    await page.screenshot({ path: `${folder}/playwright-${n}-${when}.png` });
    ended("pictures");
  };
  if (await find(email)) throw new Error(`${email} is there already`);
  ended("look up");
  await page.goto(`${base}/members`, { waitUntil: "domcontentloaded" });
  await page.getByRole("button", { name: "Invite people" }).click();
  const dialog = page.getByRole("dialog", { name: "Invite people" });
  await dialog.waitFor();
  ended("open");
  await dialog.getByLabel("Email").fill(email);
  await dialog.getByLabel("First name").fill("Bench");
  await dialog.getByLabel("Last name").fill(`N${n}`);
  await dialog.getByLabel("Role").selectOption("Member");
  ended("fill");
  await picture("before");
  await dialog.getByRole("button", { name: "Send invite" }).click();
  await page.getByRole("status").filter({ hasText: "Invite sent" }).waitFor();
  ended("send");
  await picture("after");
  const cells = await find(email);
  if (cells?.[0] !== `Bench N${n}` || cells[1] !== email || cells[2] !== "Active" || cells[3] !== "Member") throw new Error(`${email}: ${cells}`);
  ended("read back");
  return { ms: performance.now() - begun, parts };
}

await page.goto(`${base}/login`);
await page.getByLabel("Email").fill("svc@acme.example");
await page.getByLabel("Password").fill("correct horse");
await page.getByRole("button", { name: "Sign in" }).click();
await page.getByRole("link", { name: "Members" }).waitFor();

for await (const line of readline.createInterface({ input: process.stdin })) {
  const [first, count, evidence] = line.split(" ");
  for (let n = Number(first); n < Number(first) + Number(count); n++) console.log(JSON.stringify(await create(n, evidence)));
}
await browser.close();
