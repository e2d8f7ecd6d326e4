// The launch page: the sizes follow the application and the place. Without this file all sizes are listed, and the portal
// refuses one that does not fit.

const form = document.getElementById("launch");
const sizes = form ? [...form.querySelectorAll("input[name=size]")] : [];

function chosen(name) {
  return form.querySelector(`input[name=${name}]:checked`)?.value ?? "";
}

function fits(size, application, place) {
  const { applications, places } = size.dataset;
  if (!applications.split(" ").includes(application)) return false;
  return places === undefined || (place ? places.split(" ").includes(place) : places !== "");
}

// The size that is chosen stays, if it fits; else it is the application's default, or the first one that fits.
function follow() {
  const [application, place] = [chosen("application"), chosen("place")];
  for (const size of sizes) {
    size.disabled = !fits(size, application, place);
    size.closest(".choice").hidden = size.disabled;
  }
  const possible = sizes.filter((size) => !size.disabled);
  sizes[0].closest("fieldset").hidden = possible.length === 0;
  if (possible.some((size) => size.checked)) return;
  const isDefault = (size) => size.dataset.defaultOf.split(" ").includes(application);
  const size = possible.find(isDefault) ?? (place ? possible[0] : undefined);
  for (const one of sizes) one.checked = one === size;
}

if (sizes.length > 0) {
  form.addEventListener("change", (event) => {
    // another application has another default
    if (event.target.name === "application") for (const size of sizes) size.checked = false;
    if (event.target.name !== "size") follow();
  });
  follow();
}
