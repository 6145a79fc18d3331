// Typesets the formulas that pymdownx.arithmatex marks: \( … \) in a line, \[ … \] in a block of its own.
for (const element of document.querySelectorAll(".arithmatex")) {
  const marked = element.textContent.trim();
  katex.render(marked.slice(2, -2), element, { displayMode: marked.startsWith("\\["), throwOnError: false });
}
