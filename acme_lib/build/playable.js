// Figures with sliders and predictions that work in a page, without a kernel. See acme_lib/build/playable.py.
(() => {
  const unpack = (packed) => {
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  };
  const fetchFrames = (figure) => new Promise((resolve, reject) => {
    const inside = figure.querySelector("script.acme-frames");
    if (inside) return resolve(inside.textContent);
    const script = document.createElement("script"); // a page opened as a file may load scripts, and nothing else
    [script.src, script.onerror] = [figure.dataset.frames, reject];
    script.onload = () => resolve(window.acmeFrames[figure.id]);
    document.head.append(script);
  });

  const play = (figure) => {
    const [sliders, said] = [[...figure.querySelectorAll("input")], figure.querySelector(".acme-says")];
    const picture = figure.querySelector(".acme-picture svg");
    const start = sliders.map((slider) => Number(slider.defaultValue));
    const words = sliders.map((slider) => slider.dataset.words.split("|"));
    const all = figure.dataset.grid === "all"; // else the sliders move one at a time
    let frames, loading, axesBefore;
    const load = () => (loading ??= fetchFrames(figure).then(unpack).then((found) => { frames = found; show(); }));
    const number = (at) => {
      if (all) return at.reduce((index, value, i) => index * words[i].length + value, 0);
      const moved = Math.max(0, at.findIndex((value, i) => value !== start[i]));
      return words.slice(0, moved).reduce((sum, list) => sum + list.length, 0) + at[moved];
    };
    const show = () => {
      const at = sliders.map((slider) => Number(slider.value));
      sliders.forEach((slider, i) => {
        slider.setAttribute("aria-valuetext", words[i][at[i]]);
        slider.nextElementSibling.textContent = words[i][at[i]];
      });
      if (!frames) return load();
      const [[axes, ...data], text] = frames.frames[number(at)];
      said.innerHTML = text;
      picture.setAttribute("aria-label", `${figure.dataset.alt} ${said.textContent}`);
      if (axes === undefined) return; // no picture for these values: the last one stays
      if (axes !== axesBefore) picture.firstElementChild.innerHTML = frames.parts[axes];
      picture.lastElementChild.innerHTML = data.map((part) => frames.parts[part]).join("");
      axesBefore = axes;
    };
    const reset = (moved) => sliders.forEach((slider, i) => { if (slider !== moved) slider.value = start[i]; });
    sliders.forEach((slider) => slider.addEventListener("input", () => { if (!all) reset(slider); show(); }));
    figure.querySelector("button").addEventListener("click", () => { reset(); show(); });
    figure.querySelector(".acme-controls").hidden = false;
    figure.addEventListener("focusin", load);
    new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && load(), { rootMargin: "600px" })
      .observe(figure);
  };

  const ask = (form) => {
    const [reply, button, options] = [form.querySelector(".acme-reply"), form.querySelector("button"), form.elements.option];
    const key = `acme/${form.dataset.key}`;
    const answer = (option) => {
      reply.replaceChildren(form.querySelector(`template[data-option="${option}"]`).content.cloneNode(true));
      form.classList.add("acme-predicted");
      form.dispatchEvent(new CustomEvent("acme-predicted", { bubbles: true, detail: { key: form.dataset.key, option } }));
    };
    form.addEventListener("change", () => { button.disabled = false; });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      try { localStorage.setItem(key, options.value); } catch { /* a browser that remembers nothing */ }
      answer(options.value);
    });
    form.querySelector("details").remove(); // it is for readers without scripts
    button.hidden = false;
    let last = null;
    try { last = localStorage.getItem(key); } catch { /* as above */ }
    if (last === null || !options[last]) return;
    [options[last].checked, button.disabled] = [true, false];
    answer(last);
  };

  const begin = () => {
    document.querySelectorAll(".acme-playable").forEach(play);
    document.querySelectorAll("form.acme-predict").forEach(ask);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin); else begin();
})();
