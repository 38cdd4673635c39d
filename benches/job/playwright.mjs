// The same job, written by hand with Playwright: look, act, read back. Arguments: PORT FIRST COUNT EVIDENCE
import { chromium } from "playwright-core";

const [port, first, count, evidence] = process.argv.slice(2);
const base = `http://acme.ledgerly.localhost:${port}`;
const browser = await chromium.launch({ executablePath: "/usr/lib/chromium/chromium-headless-shell", args: ["--no-sandbox"] });
const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
const table = page.getByRole("table", { name: "Members" });

async function find(email) {
  await page.goto(`${base}/members`, { waitUntil: "domcontentloaded" });
  await page.getByLabel("Search members").fill(email);
  await page.getByLabel("Search members").press("Enter");
  await page.waitForURL(/q=/);
  const row = table.getByRole("row").filter({ has: page.getByRole("cell", { name: email, exact: true }) });
  await row.or(page.getByText("No members match")).first().waitFor();
  if ((await row.count()) === 0) return null;
  return row.getByRole("cell").allInnerTexts();
}

const picture = async () => { if (evidence !== "none") await page.screenshot(); };

await page.goto(`${base}/login`);
await page.getByLabel("Email").fill("svc@acme.example");
await page.getByLabel("Password").fill("correct horse");
await page.getByRole("button", { name: "Sign in" }).click();
await page.getByRole("link", { name: "Members" }).waitFor();

for (let n = Number(first); n < Number(first) + Number(count); n++) {
  const email = `bench${n}@acme.example`;
  const begun = performance.now();
  if (await find(email)) throw new Error(`${email} is there already`);
  await page.goto(`${base}/members`, { waitUntil: "domcontentloaded" });
  await page.getByRole("button", { name: "Invite people" }).click();
  const dialog = page.getByRole("dialog", { name: "Invite people" });
  await dialog.getByLabel("Email").fill(email);
  await dialog.getByLabel("First name").fill("Bench");
  await dialog.getByLabel("Last name").fill(`N${n}`);
  await dialog.getByLabel("Role").selectOption("Member");
  await picture();
  await dialog.getByRole("button", { name: "Send invite" }).click();
  await page.getByRole("status").filter({ hasText: "Invite sent" }).waitFor();
  await picture();
  const cells = await find(email);
  if (cells?.[0] !== `Bench N${n}` || cells[2] !== "Active" || cells[3] !== "Member") throw new Error(`${email}: ${cells}`);
  console.log((performance.now() - begun).toFixed(1));
}
await browser.close();
