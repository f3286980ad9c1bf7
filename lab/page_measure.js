// What a person cannot read on a page of Grafana: run in the page, returns plain lists.
() => {
  const short = (text) => text.trim().replace(/\s+/g, " ").slice(0, 60);
  const visible = (box) => box.width > 1 && box.height > 1;
  const scrolls = (element) => element.closest(".rdg, [data-testid='logRows'], [class*='alert-rules'], .markdown-html, [class*='LogList']");
  const textLines = (element) => {
    const range = document.createRange(), tops = [];
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      range.selectNodeContents(walker.currentNode);
      tops.push(...[...range.getClientRects()].filter(visible).map((r) => Math.round(r.bottom / 6)));
    }
    return new Set(tops).size;
  };
  // Grafana's list of alerts ends a long name in "…" and tells all of it in a tooltip.
  const alertName = (element) => element.title === element.textContent && element.closest("li")?.querySelector("a[href*='/alerting/']");
  const found = { alerts: [], cut: [], overlap: [], sideways: [], failing: [], plainNoData: [], wrapped: [], graphs: [] };
  const panels = [...document.querySelectorAll("section[data-testid*='Panel header'], [data-testid*='data-testid Panel header']")];
  for (const panel of panels) {
    const title = short(panel.getAttribute("data-testid").replace(/.*Panel header /, ""));
    const box = panel.getBoundingClientRect();
    const texts = [];
    const walker = document.createTreeWalker(panel, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode, parent = node.parentElement;
      if (!node.data.trim() || !parent || parent.closest("svg defs, script, style, [aria-hidden='true'] title")) continue;
      const style = getComputedStyle(parent);
      if (style.visibility === "hidden" || style.opacity === "0" || parent.closest("[class*='show-on-hover']")) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const rects = [...range.getClientRects()].filter(visible);
      if (!rects.length) continue;
      // A map is moved and zoomed: on a phone it is larger than its panel.
      if (innerWidth < 500 && parent.closest("[data-node-id]")) continue;
      if (alertName(parent)) {
        if (parent.scrollWidth > parent.clientWidth + 1) found.alerts.push(`${title}: "${short(node.data)}" ends in "…"`);
        continue;
      }
      // The space at the end of a line of a log lies over the edge, and is none to see.
      const over = parent.closest(".log-syntax-highlight, .field") ? 12 : 1.5;
      const text = { text: short(node.data), rects, element: parent };
      texts.push(text);
      // Cut off by a box that hides what is outside of it.
      for (let above = parent; above && panel.contains(above); above = above.parentElement) {
        const s = getComputedStyle(above), edge = above.getBoundingClientRect();
        // An ellipsis takes the last letters already where half a pixel is missing.
        const slack = s.textOverflow === "ellipsis" ? 0.4 : over;
        const hidesX = s.overflowX !== "visible", hidesY = s.overflowY === "hidden" || s.overflowY === "clip";
        const right = Math.max(...rects.map((r) => r.right)), left = Math.min(...rects.map((r) => r.left));
        const bottom = Math.max(...rects.map((r) => r.bottom)), top = Math.min(...rects.map((r) => r.top));
        if (s.overflowY === "auto" || s.overflowY === "scroll") {
          if (!hidesX || right <= edge.right + slack) break;
        }
        if (hidesX && (right > edge.right + slack || left < edge.left - 1.5)) {
          found.cut.push(`${title}: "${text.text}" by ${Math.round(Math.max(right - edge.right, edge.left - left))} px`);
          break;
        }
        if (hidesY && bottom > edge.bottom + 4 && rects[0].top < edge.bottom && !scrolls(above)) {
          found.cut.push(`${title}: "${text.text}" at its lower edge`);
          break;
        }
        if (hidesY && top < edge.top - 4 && bottom > edge.top) {
          found.cut.push(`${title}: "${text.text}" at its upper edge`);
          break;
        }
      }
    }
    const boxes = texts.flatMap((t) => t.rects.map((r) => ({ ...t, r }))).slice(0, 400);
    for (let i = 0; i < boxes.length; i++) {
      for (let j = i + 1; j < boxes.length; j++) {
        const a = boxes[i], b = boxes[j];
        if (a.element === b.element || a.element.closest(".rdg") || a.element.closest("svg")) continue;
        const x = Math.min(a.r.right, b.r.right) - Math.max(a.r.left, b.r.left);
        const y = Math.min(a.r.bottom, b.r.bottom) - Math.max(a.r.top, b.r.top);
        if (x > 3 && y > 4) found.overlap.push(`${title}: "${a.text}" and "${b.text}"`);
      }
    }
    // A state or a number in two lines: only names may take a second one.
    for (const cell of panel.querySelectorAll(".rdg [role='gridcell']")) {
      if (cell.querySelector("a") || cell.textContent.length > 16 || !cell.textContent.trim()) continue;
      const lines = textLines(cell);
      if (lines > 1 && /\d|burn|early|data/i.test(cell.textContent)) {
        found.wrapped.push(`${title}: "${short(cell.textContent)}" takes ${lines} lines`);
      }
    }
    for (const grid of panel.querySelectorAll(".rdg, [role='grid']")) {
      if (grid.scrollWidth > grid.clientWidth + 2) found.sideways.push(`${title}: ${grid.scrollWidth} of ${grid.clientWidth} px`);
    }
    if (panel.querySelector("[data-testid*='Panel status error'], [aria-label='Panel status'], [data-testid*='Alert error']")) found.failing.push(title);
    if (texts.length <= 2 && texts.some((t) => t.text === "No data")) found.plainNoData.push(title);
    const graph = panel.querySelector(".uplot");
    if (graph) {
      const drawn = graph.getBoundingClientRect();
      found.graphs.push({ title, share: (drawn.width * drawn.height) / (box.width * box.height) });
    }
  }
  found.panels = panels.length;
  found.bottom = Math.ceil(Math.max(0, ...panels.map((p) => p.getBoundingClientRect().bottom)) + scrollY);
  found.top = panels.length ? Math.round(Math.min(...panels.map((p) => p.getBoundingClientRect().top)) + scrollY) : 0;
  found.first = panels.slice(0, 3).map((p) => short(p.getAttribute("data-testid").replace(/.*Panel header /, "")));
  return found;
}
