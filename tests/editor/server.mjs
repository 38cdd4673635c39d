// Talks to the real YAML language server: gets a file, returns what an author would see.
import { spawn } from "node:child_process";
import { fileURLToPath, pathToFileURL } from "node:url";
import path from "node:path";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const program = path.join(root, "tests/editor/node_modules/yaml-language-server/bin/yaml-language-server");

export class Server {
  constructor() {
    this.child = spawn(process.execPath, [program, "--stdio"], { stdio: ["pipe", "pipe", "inherit"] });
    this.next = 1;
    this.asked = new Map();
    this.awaited = new Map();
    this.input = Buffer.alloc(0);
    this.child.stdout.on("data", (data) => this.read(data));
  }

  static async start(settings = {}) {
    const server = new Server();
    await server.ask("initialize", {
      processId: process.pid,
      rootUri: pathToFileURL(root).href,
      capabilities: {
        textDocument: {
          completion: { completionItem: { snippetSupport: true, documentationFormat: ["markdown", "plaintext"] } },
          hover: { contentFormat: ["markdown", "plaintext"] },
          publishDiagnostics: { relatedInformation: true },
        },
      },
    });
    server.notify("initialized", {});
    // Only the schema that the file itself names.
    const yaml = { validate: true, hover: true, completion: true, schemaStore: { enable: false }, ...settings };
    server.notify("workspace/didChangeConfiguration", { settings: { yaml } });
    return server;
  }

  /** Opens a text as this file. Returns the diagnostics of the server. */
  async open(file, text) {
    const uri = pathToFileURL(path.join(root, file)).href;
    const wrong = new Promise((done) => this.awaited.set(uri, done));
    this.notify("textDocument/didOpen", { textDocument: { uri, languageId: "yaml", version: 1, text } });
    return { uri, text, diagnostics: await wrong };
  }

  /** Returns what the server offers at the mark `|~|` in the text. */
  async complete(file, marked) {
    const { document, position } = await this.at(file, marked);
    const list = await this.ask("textDocument/completion", { textDocument: { uri: document.uri }, position });
    return list.items ?? list;
  }

  /** Returns the explanation of the word at the mark. */
  async hover(file, marked) {
    const { document, position } = await this.at(file, marked);
    const hover = await this.ask("textDocument/hover", { textDocument: { uri: document.uri }, position });
    return hover?.contents?.value ?? "";
  }

  async at(file, marked) {
    const before = marked.slice(0, marked.indexOf("|~|")).split("\n");
    const document = await this.open(file, marked.replace("|~|", ""));
    return { document, position: { line: before.length - 1, character: before.at(-1).length } };
  }

  async stop() {
    const ended = new Promise((done) => this.child.once("exit", done));
    await this.ask("shutdown", null);
    this.notify("exit", null);
    await ended;
  }

  ask(method, params) {
    const id = this.next++;
    return new Promise((done, failed) => {
      this.asked.set(id, (message) => (message.error ? failed(new Error(message.error.message)) : done(message.result)));
      this.send({ id, method, params });
    });
  }

  notify(method, params) {
    this.send({ method, params });
  }

  send(message) {
    const body = JSON.stringify({ jsonrpc: "2.0", ...message });
    this.child.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }

  read(data) {
    this.input = Buffer.concat([this.input, data]);
    for (;;) {
      const end = this.input.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/Content-Length: (\d+)/i.exec(this.input.subarray(0, end).toString())[1]);
      if (this.input.length < end + 4 + length) return;
      const message = JSON.parse(this.input.subarray(end + 4, end + 4 + length).toString());
      this.input = this.input.subarray(end + 4 + length);
      this.heard(message);
    }
  }

  heard(message) {
    if (message.method === "textDocument/publishDiagnostics") {
      const { uri, diagnostics } = message.params;
      this.awaited.get(uri)?.(diagnostics);
      this.awaited.delete(uri);
    } else if (message.method && message.id !== undefined) {
      // The server asks for the settings of the editor: it has no others.
      const items = message.params?.items;
      const result = message.method === "workspace/configuration" ? items.map(() => null) : null;
      this.send({ id: message.id, result });
    } else if (message.id !== undefined) {
      this.asked.get(message.id)?.(message);
      this.asked.delete(message.id);
    }
  }
}
