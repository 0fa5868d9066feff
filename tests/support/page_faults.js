// What is wrong with the page that is open: names, order, width, contrast. Gives a list of words.
() => {
  const found = [];
  const words = (element) => {
    const text = (element.id ? `#${element.id} ` : "") + (element.textContent || element.outerHTML).trim();
    return `<${element.tagName.toLowerCase()}> ${text.replace(/\s+/g, " ").slice(0, 60)}`;
  };
  const seen = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });

  if (!document.documentElement.lang) found.push("no language");
  if (!document.title.trim()) found.push("no title");
  const headings = document.querySelectorAll("h1");
  if (headings.length !== 1) found.push(`${headings.length} h1`);
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 1) {
    const worst = [...document.querySelectorAll("main *, header *")].filter((each) => !each.closest(".wide") &&
      each.getBoundingClientRect().right > document.documentElement.clientWidth + 1);
    found.push(`${wide} px too wide: ${worst.slice(0, 3).map(words).join("; ")}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
  const twice = ids.filter((id, at) => ids.indexOf(id) !== at);
  if (twice.length) found.push(`ids twice: ${twice}`);

  const named = (element) => {
    const by = (element.getAttribute("aria-labelledby") || "").split(/\s+/).filter(Boolean);
    return [element.getAttribute("aria-label"), ...by.map((id) => document.getElementById(id)?.textContent),
      ...[...(element.labels ?? [])].map((label) => label.textContent),
      /^(A|BUTTON|SUMMARY)$/.test(element.tagName) ? element.textContent : "",
      ...[...element.querySelectorAll("img[alt], svg[aria-label]")].map(
        (each) => each.alt || each.getAttribute("aria-label")),
      element.title].some((each) => each && each.trim());
  };
  for (const each of document.querySelectorAll("a[href], button, summary, select, textarea, iframe, input:not([type=hidden])"))
    if (seen(each) && !named(each)) found.push(`no name: ${each.outerHTML.slice(0, 90)}`);
  for (const each of document.querySelectorAll("img:not([alt])")) found.push(`no alt: ${each.outerHTML.slice(0, 90)}`);
  for (const each of document.querySelectorAll("svg:not([aria-hidden=true]):not([role=img])"))
    if (seen(each)) found.push(`a picture that is neither named nor hidden: ${each.outerHTML.slice(0, 90)}`);
  for (const each of document.querySelectorAll("th:not([scope])")) found.push(`no scope: ${words(each)}`);
  for (const each of document.querySelectorAll("label")) if (!each.control) found.push(`label of nothing: ${words(each)}`);

  const colour = (text) => {
    const parts = text.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
    return parts.length < 4 ? [...parts, 1] : parts;
  };
  const over = (above, below) => {
    const [r, g, b, a] = above;
    return [r, g, b].map((part, at) => part * a + below[at] * (1 - a)).concat(1);
  };
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const layer = colour(getComputedStyle(at).backgroundColor);
      layers.push(layer);
      if (layer[3] === 1) break;
    }
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    return layers.reduceRight((below, above) => over(above, below), dark ? [0, 0, 0, 1] : [255, 255, 255, 1]);
  };
  const light = ([r, g, b]) => {
    const part = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const judged = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || judged.has(element) || !seen(element)) continue;
    if (element.closest("svg, script, style, option, [disabled], .skip")) continue;
    judged.add(element);
    const style = getComputedStyle(element);
    const below = ground(element);
    const [a, b] = [light(over(colour(style.color), below)), light(below)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    if (ratio < needed - 0.01) found.push(`contrast ${ratio.toFixed(2)}: ${words(element)}`);
  }
  return [...new Set(found)].slice(0, 12);
}
