// The site's own time: the same requests without a browser. Arguments: PORT FIRST COUNT
import http from "node:http";

const [port, first, count] = process.argv.slice(2);
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

await send("POST", "/login", { email: "svc@acme.example", password: "correct horse" });
for (let n = Number(first); n < Number(first) + Number(count); n++) {
  const email = `bench${n}@acme.example`;
  const begun = performance.now();
  const find = async () => { await send("GET", "/members"); return send("GET", `/members?q=${encodeURIComponent(email)}`); };
  await find();
  await send("GET", "/members");
  const dialog = await send("GET", "/members?q=&page=1&dialog=invite");
  const csrf = dialog.text.match(/name="csrf" value="([^"]+)"/)[1];
  const sent = await send("POST", "/members", { csrf, email, given: "Bench", family: `N${n}`, role: "Member" });
  await send("GET", sent.to);
  if (!(await find()).text.includes(email)) throw new Error(`${email} is not there`);
  console.log((performance.now() - begun).toFixed(1));
}
agent.destroy();
