// The site's own time: the same requests without a browser. Argument: PORT
// Every line of standard input asks for a block, `FIRST COUNT …`; every create is answered with one line of JSON.
import http from "node:http";
import readline from "node:readline";

const [port] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
let cookie = "";

function send(method, path, form) {
  const body = form ? new URLSearchParams(form).toString() : "";
  const headers = { cookie, ...(form && { "content-type": "application/x-www-form-urlencoded", "content-length": Buffer.byteLength(body) }) };
  return new Promise((resolve, reject) => {
    const request = http.request({ host: "127.0.0.1", port, method, path, headers, agent }, (answer) => {
      cookie = answer.headers["set-cookie"]?.[0].split(";")[0] ?? cookie;
      let text = "";
      answer.setEncoding("utf8").on("data", (part) => (text += part)).on("end", () => resolve({ text, to: answer.headers.location }));
    });
    request.on("error", reject).end(body);
  });
}

async function create(n) {
  const email = `bench${n}@acme.example`;
  const begun = performance.now();
  let since = begun;
  const parts = {};
  const ended = (part) => {
    const now = performance.now();
    parts[part] = now - since;
    since = now;
  };
  const find = async () => {
    await send("GET", "/members");
    return (await send("GET", `/members?q=${encodeURIComponent(email)}`)).text;
  };
  if (!(await find()).includes("No members match")) throw new Error(`${email} is there already`);
  ended("look up");
  await send("GET", "/members");
  const dialog = await send("GET", "/members?q=&page=1&dialog=invite");
  ended("open");
  const csrf = dialog.text.match(/name="csrf" value="([^"]+)"/)[1];
  const sent = await send("POST", "/members", { csrf, email, given: "Bench", family: `N${n}`, role: "Member" });
  if (!(await send("GET", sent.to)).text.includes("Invite sent")) throw new Error(`${email} was not invited`);
  ended("send");
  if (!(await find()).includes(`<td>${email}</td>`)) throw new Error(`${email} is not there`);
  ended("read back");
  return { ms: performance.now() - begun, parts };
}

await send("POST", "/login", { email: "svc@acme.example", password: "correct horse" });
for await (const line of readline.createInterface({ input: process.stdin })) {
  const [first, count] = line.split(" ").map(Number);
  for (let n = first; n < first + count; n++) console.log(JSON.stringify(await create(n)));
}
agent.destroy();
