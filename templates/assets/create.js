// The form that creates domains: the S-expression follows the fields as they are filled in. It comes
// after xend.js and uses its functions. The form works without it.
"use strict";

{
  const form = document.getElementById("new");
  const creation = document.getElementById("creation");
  if (form) fill(form);
  if (creation?.hasAttribute("data-goes-on")) setTimeout(follow, 500);

  function fill(form) {
    const { config, made } = form.elements;
    const editor = config.closest(".editor");
    const edited = document.getElementById("edited");

    // The server makes the text, so that it is the same with and without scripts. A text that
    // somebody has edited stays as it is.
    const isEdited = () => config.value.trim() !== "" && config.value.trim() !== made.value.trim();
    let timer;
    let latest = 0;
    async function make() {
      latest += 1;
      const number = latest;
      const data = new FormData(form);
      data.set("op", "preview");
      try {
        const answer = await ask(form.action, {
          method: "POST",
          body: data,
          headers: { Accept: "text/html" },
        });
        const page = parse(await answer.text());
        const text = page.querySelector("#new [name=made]")?.value;
        // Somebody who is about to edit the text must not lose the place.
        const isInUse = document.activeElement === config;
        if (!answer.ok || text === undefined || number !== latest || isInUse) return;
        if (!isEdited()) {
          config.value = text;
          config.rows = Math.min(40, Math.max(14, text.split("\n").length));
        }
        made.value = text;
        // The server chooses another image if this one has been made meanwhile.
        const image = page.querySelector("#new [name=new_image]")?.value;
        if (image) form.elements.new_image.value = image;
        showState();
      } catch {
        // The server makes the text when the form is sent.
      }
    }
    function showState() {
      edited.hidden = !isEdited();
      const update = form.querySelector("button[value=preview]");
      update.hidden = !isEdited();
      update.textContent = "Make it from the fields again";
    }

    // Fields that the type of guest or the choice of a disk leaves without a meaning.
    function showFields() {
      const type = form.elements.type.value;
      for (const label of form.querySelectorAll("[data-of]")) {
        label.hidden = !label.dataset.of.split(" ").includes(type);
        // It is not sent either: nobody could empty it.
        label.querySelector("input").disabled = label.hidden;
      }
      const disk = form.elements.disk.value;
      for (const part of form.querySelectorAll("[data-disk]")) part.hidden = part.dataset.disk !== disk;
    }

    function changed(event) {
      if (event.target === config) {
        // The mark is where the fault was.
        editor.querySelector(".marks")?.remove();
        config.removeAttribute("aria-invalid");
        showState();
        return;
      }
      showFields();
      clearTimeout(timer);
      timer = setTimeout(make, 150);
    }
    form.addEventListener("input", changed);
    // Not every way to choose from a list is input.
    form.addEventListener("change", (event) => event.target.matches("select") && changed(event));
    form.addEventListener("click", (event) => {
      if (event.target.value !== "preview" || event.target.name !== "op") return;
      event.preventDefault();
      config.value = "";
      make();
    });
    form.addEventListener("submit", (event) => event.submitter?.setAttribute("aria-busy", "true"));
    // Back to this page with the browser's button.
    addEventListener("pageshow", () => {
      for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
      showFields();
    });

    showFields();
    showState();
    const { from, to } = config.dataset;
    if (from === undefined) return;
    config.focus();
    config.setSelectionRange(Number(from), Number(to));
    const marks = editor.querySelector(".marks");
    const mark = marks.querySelector("mark");
    config.scrollTop = Math.max(0, mark.offsetTop - config.clientHeight / 2);
    const align = () => {
      marks.scrollTop = config.scrollTop;
      marks.scrollLeft = config.scrollLeft;
    };
    config.addEventListener("scroll", align);
    align();
  }

  // Reads the page of a creation again until it leads to the domain.
  async function follow() {
    try {
      const answer = await get(location.href);
      const page = parse(await answer.text());
      if (answer.redirected) return location.replace(answer.url);
      const steps = page.getElementById("creation");
      if (!steps?.hasAttribute("data-goes-on")) return location.reload();
      const here = document.getElementById("creation");
      if (here.innerHTML !== steps.innerHTML) here.replaceChildren(...steps.childNodes);
    } catch {
      // The server does not answer now.
    }
    setTimeout(follow, 500);
  }
}
