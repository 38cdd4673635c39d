import { Server } from "./server.mjs";
import { readFileSync } from "node:fs";
const draft = process.argv[2];
const s = await Server.start();
const head = `# yaml-language-server: $schema=../../docs/schema/playbook${draft}.schema.json\n`;
const text = readFileSync("../language/everything/playbook.yaml","utf8");
console.log("diag", (await s.open("playbooks/t0/playbook.yaml", head+text)).diagnostics);
const c = await s.complete("playbooks/t1/playbook.yaml", head + text.replace("  user.delete:\n    steps:\n", "  user.delete:\n    steps:\n      - click: { b|~| }\n"));
console.log(c.length, c.slice(0,6).map(i=>[i.label,i.kind,i.insertText,JSON.stringify(i.documentation)]));
console.log(c.map(i=>i.label).join(" "));
const c2 = await s.complete("playbooks/t2/playbook.yaml", head + text.replace("  user.delete:\n    steps:\n", "  user.delete:\n    steps:\n      - |~|\n"));
console.log(c2.length, c2.map(i=>i.label).join(" ; "));
console.log(c2.filter(i=>/click/.test(i.label)).map(i=>[i.label,i.kind,i.insertText,JSON.stringify(i.documentation)]));
console.log("hover", await s.hover("playbooks/t3/playbook.yaml", head + text.replace("- click: save", "- cl|~|ick: save")));
console.log("bad", (await s.open("playbooks/t4/playbook.yaml", head+text.replace("- click: save","- clik: save"))).diagnostics.map(d=>d.message+JSON.stringify(d.range)));
console.log("bad2", (await s.open("playbooks/t5/playbook.yaml", head+text.replace("find_user:","find_usr:"))).diagnostics.map(d=>d.message+JSON.stringify(d.range)));
console.log("bad3", (await s.open("playbooks/t6/playbook.yaml", head+text.replace("- click: save","- click: { button: Save, link: Save }"))).diagnostics.map(d=>d.message+JSON.stringify(d.range)));
console.log("bad4", (await s.open("playbooks/t7/playbook.yaml", head+text.replace("- click: save","- click: { buton: Save }"))).diagnostics.map(d=>d.message+JSON.stringify(d.range)));
console.log("bad5", (await s.open("playbooks/t7b/playbook.yaml", head+text.replace("- click: save","- click: save\n        open: /"))).diagnostics.map(d=>d.message+JSON.stringify(d.range)));
for (const [n,t] of [["title", text.replace("title: Everything that the language has","title: |~|")],["ident",text.replace("identity: { attribute: userName, ignore_case: true }","identity: |~|")],["code",text.replace("code: no_seat","code: n|~|")],["top",text+"\n|~|"],["op",text+"  |~|"],["changes", text.replace("changes: [displayName, role]","changes:\n      - |~|")],["loc-block", text.replace("      - click: save\n        commit: true","      - click:\n          |~|")], ["login", text.replace("find_user:\n  view: people\n  search","find_user:\n  |~|\n  search")]]) {
  const items = await s.complete(`playbooks/u${n}/playbook.yaml`, head + t);
  console.log(n, items.length, items.map(i=>i.label).join(" ; ").slice(0,700));
}
await s.stop();
