// Figures with sliders and predictions that work in a page, without a kernel. See acme_lib/build/playable.py.
(() => {
  const unpack = async (packed) => {
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  };
  const fetchFrames = (figure) => new Promise((resolve, reject) => {
    const inside = figure.querySelector("script.acme-frames");
    if (inside) return resolve(inside.textContent);
    const script = document.createElement("script"); // a page opened as a file may load scripts, and nothing else
    script.src = figure.dataset.frames;
    script.onload = () => resolve(window.acmeFrames[figure.id]);
    script.onerror = reject;
    document.head.append(script);
  });

  const play = (figure) => {
    const all = (selector) => [...figure.querySelectorAll(selector)];
    const [sliders, said, picture] = [all("input"), figure.querySelector(".acme-says"), figure.querySelector("svg")];
    const start = sliders.map((slider) => Number(slider.defaultValue));
    const words = sliders.map((slider) => slider.dataset.words.split("|"));
    let frames, loading, before;
    const load = () => (loading ??= fetchFrames(figure).then(unpack).then((found) => { frames = found; show(); }));
    const number = (at) => {
      if (figure.dataset.grid === "all") return at.reduce((index, value, i) => index * words[i].length + value, 0);
      const moved = Math.max(0, at.findIndex((value, i) => value !== start[i])); // one at a time
      return words.slice(0, moved).reduce((sum, list) => sum + list.length, 0) + at[moved];
    };
    const show = () => {
      const at = sliders.map((slider) => Number(slider.value));
      sliders.forEach((slider, i) => {
        slider.setAttribute("aria-valuetext", words[i][at[i]]);
        slider.nextElementSibling.textContent = words[i][at[i]];
      });
      if (!frames) return load();
      const [parts, text] = frames.frames[number(at)];
      said.innerHTML = text;
      picture.setAttribute("aria-label", `${figure.dataset.alt} ${said.textContent}`);
      if (!parts.length) return; // no picture for these values: the last one stays
      const [axes, ...data] = parts;
      if (axes !== before) picture.firstElementChild.innerHTML = frames.parts[axes];
      picture.lastElementChild.innerHTML = data.map((part) => frames.parts[part]).join("");
      before = axes;
    };
    const moved = (slider) => {
      if (figure.dataset.grid !== "all") sliders.forEach((other, i) => { if (other !== slider) other.value = start[i]; });
      show();
    };
    sliders.forEach((slider) => slider.addEventListener("input", () => moved(slider)));
    figure.querySelector("button").addEventListener("click", () => {
      sliders.forEach((slider, i) => { slider.value = start[i]; });
      show();
    });
    figure.querySelector(".acme-controls").hidden = false;
    figure.addEventListener("focusin", load);
    new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && load(), { rootMargin: "600px" })
      .observe(figure);
  };

  const ask = (form) => {
    const [key, reply, button] = [`acme/${form.dataset.key}`, form.querySelector(".acme-reply"), form.querySelector("button")];
    const read = () => { try { return localStorage.getItem(key); } catch { return null; } };
    const answer = (option) => {
      const reason = form.querySelector(`template[data-option="${option}"]`);
      reply.replaceChildren(reason.content.cloneNode(true));
      form.classList.add("acme-predicted");
      form.dispatchEvent(new CustomEvent("acme-predicted", { bubbles: true, detail: { key: form.dataset.key, option } }));
    };
    form.addEventListener("change", () => { button.disabled = false; });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const { value } = form.elements.option;
      try { localStorage.setItem(key, value); } catch { /* not remembered */ }
      answer(value);
    });
    form.querySelector("details").remove(); // for readers without scripts
    form.querySelector("fieldset").hidden = button.hidden = false;
    const last = read();
    if (last !== null && form.elements.option[last]) {
      form.elements.option[last].checked = true;
      button.disabled = false;
      answer(last);
    }
  };

  const begin = () => {
    document.querySelectorAll(".acme-playable").forEach(play);
    document.querySelectorAll("form.acme-predict").forEach(ask);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin); else begin();
})();
