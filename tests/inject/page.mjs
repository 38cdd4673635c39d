// A page in a real browser with the script in an isolated world of it, as a driver does it.
import { readFileSync } from "node:fs";
import { after } from "node:test";
import { chromium } from "playwright-core";

const folder = new URL("../../src/engine/inject/", import.meta.url);

/** Put together as `mod.rs` says, so that the order there is what is tested. */
export const SCRIPT = (() => {
  const source = readFileSync(new URL("mod.rs", folder), "utf8");
  const parts = source.slice(source.indexOf("concat!(")).matchAll(/include_str!\("([^"]+)"\)|"((?:[^"\\]|\\.)*)"/g);
  return [...parts].map(([, file, text]) => (file ? readFileSync(new URL(file, folder), "utf8") : JSON.parse(`"${text}"`))).join("");
})();

/** With a window for the tests: what the script itself takes an element for. */
const SCRIPT_WITH_WINDOW = SCRIPT.replace(/\}\)\(\);\s*$/, `
  globalThis.__look = (id) => { forget(); const element = document.getElementById(id); return { role: roleOf(element), name: nameOf(element) }; };
})();`);

const executablePath = process.env.CHROMIUM ?? "/usr/lib/chromium/chromium-headless-shell";
let browser;

after(() => browser?.close());

/** Opens a page with this body and the script in it. */
export async function open(html, { width = 1280, height = 800 } = {}) {
  browser ??= await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const context = await browser.newContext({ viewport: { width, height } });
  const page = await context.newPage();
  const body = html.trimStart().startsWith("<!doctype") ? html : `<!doctype html><html lang=en><head><title>Test</title></head><body>${html}</body></html>`;
  await page.route("http://page.test/**", (route) => route.fulfill({ contentType: "text/html; charset=utf-8", status: 203, body: new URL(route.request().url()).pathname === "/" ? body : "" }));
  const cdp = await context.newCDPSession(page);
  // The isolated world of the document in front.
  let contextId;
  cdp.on("Runtime.executionContextCreated", ({ context: world }) => {
    if (world.name === "seatwright") contextId = world.id;
  });
  await cdp.send("Page.enable");
  await cdp.send("Runtime.enable");
  await cdp.send("Page.addScriptToEvaluateOnNewDocument", { source: SCRIPT_WITH_WINDOW, worldName: "seatwright" });
  await page.goto("http://page.test/", { waitUntil: "domcontentloaded" });
  const run = async (expression) => {
    const { result, exceptionDetails } = await cdp.send("Runtime.evaluate", { expression, contextId, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  const ask = (question, within = 0, watch = []) => run(`__seatwright.ask(${JSON.stringify({ ask: question, within, watch })})`);
  const press = async (at) => {
    await page.mouse.move(at.x, at.y);
    await page.mouse.down();
    await page.mouse.up();
  };
  return {
    page, cdp, ask, press, run,
    /** Evaluates the script once more. */
    again: () => run(SCRIPT),
    /** A value of the page's own world. */
    main: (expression) => page.evaluate(expression),
    /** Aims, presses, and says what became of it. */
    async click(target, within = 2000) {
      const aimed = await ask({ ask: "aim", target: targetOf(target) }, within);
      if (aimed.answer !== "aimed") return aimed;
      await press(aimed.at);
      return ask({ ask: "verdict", token: aimed.token }, 1000);
    },
    aim: (target, within = 0) => ask({ ask: "aim", target: targetOf(target) }, within),
    text: (target, within = 0, attribute) => ask({ ask: "text", target: targetOf(target), attribute }, within),
    edit: (target, within = 0) => ask({ ask: "edit", target: targetOf(target) }, within),
    records: (view, within = 0) => ask({ ask: "records", view }, within),
    /** Do these hold? Each a target, or a `[target, state]`. */
    async probe(...conditions) {
      const answer = await ask({ ask: "probe", conditions: conditions.map(conditionOf) });
      return answer.holds ?? answer;
    },
    close: () => context.close(),
  };
}

/** Opens, works, closes. */
export async function on(html, work, options) {
  const opened = await open(html, options);
  try {
    await work(opened);
  } finally {
    await opened.close();
  }
}

const wrap = (text) => (typeof text === "string" ? { exact: text } : text);
const query = (by, more = {}) => ({ by, ...more, ...(more.within ? { within: targetOf(more.within) } : {}) });

/** Queries in short. */
export const role = (name, called, more) => query({ role: { role: name, ...(called === undefined ? {} : { name: wrap(called) }) } }, more);
export const label = (text, more) => query({ label: wrap(text) }, more);
export const text = (content, more) => query({ text: wrap(content) }, more);
export const testId = (id, more) => query({ test_id: id }, more);
export const css = (selector, more) => query({ css: selector }, more);
export const xpath = (expression, more) => query({ xpath: expression }, more);
export const placeholder = (content, more) => query({ placeholder: wrap(content) }, more);
export const title = (content, more) => query({ title: wrap(content) }, more);
export const record = (rows, column, equals, ignoreCase = false, more) => query({ record: { rows, column, equals, ignore_case: ignoreCase } }, more);
export const header = (name) => ({ header: wrap(name) });
export const cell = (inner) => ({ cell: inner });
export const rows = (within, each) => ({ within: targetOf(within), ...(each ? { each } : {}) });

/** A query, many, or a target as it is. */
export const targetOf = (value) => (value.any ? value : { any: Array.isArray(value) ? value : [value] });
export const conditionOf = (value) => (Array.isArray(value) ? { target: targetOf(value[0]), state: value[1] } : { target: targetOf(value) });
