// Arranges slides so that each fits, and turns them. See acme_lib/build/slides.py.
(() => {
  "use strict";
  const WIDTH = 1600, HEIGHT = 900, SMALLEST = 0.86; // below which a slide becomes several instead of smaller
  const deck = document.getElementById("deck");
  const zooms = new Map(); // of each slide, as it was arranged
  let slides = [], now = 0, step = 0;

  // Arranging. A slide is made smaller where that is enough; else what does not fit goes to a next one.

  const contentOf = (slide) => slide.querySelector(".content");
  const room = (slide) => slide.querySelector(".body").clientHeight;
  const tooHigh = (slide) => contentOf(slide).getBoundingClientRect().height > room(slide) * scaleOfDeck() + 0.5;
  const scaleOfDeck = () => deck.getBoundingClientRect().width / WIDTH;

  function shrink(slide, least, most = 1) {
    const content = contentOf(slide);
    for (let zoom = most - 0.02; zoom >= least; zoom -= 0.02) {
      content.style.zoom = zoom;
      if (!tooHigh(slide)) return true;
    }
    content.style.zoom = "";
    return false;
  }

  function fit(slide) {
    if (!tooHigh(slide) || shrink(slide, SMALLEST)) return;
    const content = contentOf(slide), blocks = [...content.children];
    if (blocks.length === 1) {
      if (!shrink(slide, 0.4)) console.error("a slide is too high", content.textContent.slice(0, 60));
      return;
    }
    const top = content.getBoundingClientRect().top, bottom = top + room(slide) * scaleOfDeck();
    let kept = blocks.findIndex((block) => block.getBoundingClientRect().bottom > bottom + 0.5);
    if (kept === -1) kept = blocks.length - 1; // what stands out is the margin of the last
    while (kept > 1 && leads(blocks[kept - 1])) kept -= 1;
    kept = Math.max(kept, 1);
    const next = slide.cloneNode(true);
    contentOf(next).replaceChildren(...blocks.slice(kept));
    if (!next.querySelector(".above")) {
      const heading = slide.querySelector("h1, h2, h3");
      if (heading) next.insertAdjacentHTML("afterbegin", `<p class="above">${heading.innerHTML}</p>`);
    }
    slide.after(next);
    fit(slide);
    fit(next);
  }

  // A heading, or a line that ends in a colon, does not stand alone at the end of a slide.
  const leads = (block) => /^H\d$/.test(block.tagName) || (block.tagName === "P" && /:\s*$/.test(block.textContent));

  function arrange() {
    resize();
    for (const part of document.querySelectorAll(".part")) {
      for (const block of [...part.childNodes]) {
        if (block.nodeType === 1) block.dataset.step = part.dataset.step;
        else if (!block.textContent.trim()) block.remove();
      }
      part.replaceWith(...part.childNodes);
    }
    for (const block of document.querySelectorAll(".content pre, .content p, .content li, .content table"))
      if (block.scrollWidth > block.clientWidth + 1) block.style.zoom = 0.99 * block.clientWidth / block.scrollWidth;
    for (const slide of [...deck.children]) fit(slide);
    slides = [...deck.children];
    for (const slide of slides) zooms.set(slide, contentOf(slide).style.zoom);
    slides.forEach((slide, i) => {
      slide.setAttribute("role", "group");
      slide.setAttribute("aria-roledescription", "slide");
      slide.setAttribute("aria-label", `${i + 1} of ${slides.length}`);
    });
  }

  // Turning.

  // What comes later, in order; what a slide begins with is there at once.
  function stepsOf(slide) {
    const numbers = new Set();
    for (const block of slide.querySelectorAll("[data-step]")) {
      numbers.add(Number(block.dataset.step));
      if (block.querySelector(".reasons")) numbers.add(Number(block.dataset.step) + 1);
    }
    return [...numbers].sort((a, b) => a - b);
  }

  function show() {
    const slide = slides[now], reached = stepsOf(slide)[step];
    slides.forEach((other) => { other.classList.toggle("now", other === slide); other.inert = other !== slide; });
    for (const block of slide.querySelectorAll("[data-step]")) {
      block.classList.toggle("later", Number(block.dataset.step) > reached);
      block.classList.toggle("later-reasons", Number(block.dataset.step) + 1 > reached);
    }
    document.getElementById("place").textContent = `${now + 1} / ${slides.length}`;
    history.replaceState(null, "", `#${now + 1}`);
  }

  function go(to, last = false) {
    now = Math.max(0, Math.min(slides.length - 1, to));
    step = last ? stepsOf(slides[now]).length - 1 : 0;
    show();
  }

  function on() {
    if (step < stepsOf(slides[now]).length - 1) { step += 1; show(); } else if (now < slides.length - 1) go(now + 1);
  }

  function back() {
    if (step > 0) { step -= 1; show(); } else if (now > 0) go(now - 1, true);
  }

  function resize() {
    const scale = Math.min(innerWidth / WIDTH, innerHeight / HEIGHT);
    deck.style.transform = `scale(${scale}) translate(-50%, -50%)`;
  }

  const keys = {
    ArrowRight: on, ArrowDown: on, PageDown: on, " ": on, Enter: on, ArrowLeft: back, ArrowUp: back, PageUp: back, Backspace: back,
    Home: () => go(0), End: () => go(slides.length - 1),
    f: () => document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen(),
  };

  addEventListener("keydown", (event) => {
    const control = event.target.closest("input, button, summary, a");
    if (event.key === "Escape" && control) control.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
    if (control && !["PageDown", "PageUp", "f"].includes(event.key)) return; // its own keys: a slider moves
    event.preventDefault();
    keys[event.key]();
  });
  document.getElementById("on").addEventListener("click", (event) => { on(); event.target.blur(); });
  document.getElementById("back").addEventListener("click", (event) => { back(); event.target.blur(); });
  addEventListener("resize", resize);
  document.addEventListener("toggle", (event) => { // steps that unfold stay on their slide
    const slide = event.target.closest("section");
    contentOf(slide).style.zoom = zooms.get(slide);
    if (tooHigh(slide)) shrink(slide, 0.4, zooms.get(slide) || 1);
  }, true);
  addEventListener("hashchange", () => go(Number(location.hash.slice(1)) - 1 || 0));

  addEventListener("load", async () => {
    await document.fonts.ready;
    await Promise.all([...document.images].map((image) => image.decode().catch(() => null)));
    arrange();
    go(Number(location.hash.slice(1)) - 1 || 0);
    document.body.dataset.arranged = slides.length;
  });
})();
