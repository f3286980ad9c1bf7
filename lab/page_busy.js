// Why a page of Grafana is not drawn yet: run in the page with the number of its panels; "" when it is.
(expected) => {
  const panels = [...document.querySelectorAll("section[data-testid*='Panel header']")];
  if (panels.length < expected) return `${panels.length} of ${expected} panels`;
  for (const panel of panels) {
    const content = panel.querySelector("[data-testid='data-testid panel content']");
    const name = panel.getAttribute("data-testid").replace(/.*Panel header /, "");
    if (panel.querySelector("[aria-label*='oading'], [data-testid*='oading'], [data-testid='Spinner']")) return `${name} loads`;
    if (!content || (!content.textContent.trim() && !content.querySelector("canvas, svg"))) return `${name} is empty`;
    if (/^(Loading|Computing layout)/.test(content.textContent.trim())) return `${name} loads`;
  }
  return "";
}
