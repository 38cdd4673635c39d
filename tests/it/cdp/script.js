// The least that can answer the questions of these tests. Targets are CSS selectors.
globalThis.__seatwright = {
  controls: [],
  find: (target) => {
    for (const query of target.any) {
      const found = document.querySelector(query.by.css);
      if (found) return found;
    }
    return null;
  },
  refuse: (target) => ({
    answer: "refused", kind: "not_found", message: JSON.stringify(target), candidates: [],
  }),
  async ask(question) {
    const { ask, target } = question;
    const q = question.ask;
    const found = () => this.find(q.target);
    const point = (element) => {
      element.scrollIntoView({ block: "center" });
      const r = element.getBoundingClientRect();
      return { x: r.x + r.width / 2, y: r.y + r.height / 2 };
    };
    const until = async (look) => {
      const end = performance.now() + question.within;
      for (;;) {
        const it = look();
        if (it || performance.now() >= end) return it;
        await new Promise((done) => setTimeout(done, 20));
      }
    };
    const task = () => new Promise((done) => setTimeout(done));
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    switch (q.ask) {
      case "probe": {
        if (q.settle) { await task(); await task(); await frame(); }
        return { answer: "holds", holds: q.conditions.map((c) => Boolean(this.find(c.target))) };
      }
      case "await": {
        const index = await until(() => q.any.findIndex((c) => this.find(c.target)) + 1);
        return index ? { answer: "which", index: index - 1 } : this.refuse(q.any);
      }
      case "aim": {
        const element = await until(found);
        if (!element) return this.refuse(q.target);
        return { answer: "aimed", token: 1, at: point(element), element: element.id };
      }
      case "edit": {
        const element = await until(found);
        if (!element) return this.refuse(q.target);
        element.focus();
        element.select();
        return {
          answer: "control", token: this.controls.push(element) - 1, kind: "text", element: element.id,
          values: [element.value], checked: null, length: element.value.length, options: [],
          origin: location.origin,
        };
      }
      case "text": {
        const element = await until(found);
        if (!element) return this.refuse(q.target);
        const text = q.attribute === "value" ? element.value
          : q.attribute ? element.getAttribute(q.attribute) : element.textContent;
        return { answer: "text", text: String(text) };
      }
      case "page":
        return {
          answer: "page", url: location.href, title: document.title, status: 0, headings: [],
          alerts: [typeof globalThis.pageSecret, typeof globalThis.chrome, `${innerWidth}x${innerHeight}`,
            navigator.language, String(document.hasFocus())],
          dialogs: [], controls: [], fields: [], tables: [], text: "",
        };
      case "contains":
        throw new Error("this script cannot do that");
    }
  },
};
