/** Who is shown, and doing what: the page's controls for avatar, state, base video and actions. */

const at = (id) => document.getElementById(id);
const states = () => [...document.querySelectorAll("[data-state]")];
const stateOf = (video) => video.split("_")[0];

/**
 * Returns `{list, refused, offer, changed}`: to be called when the connection opens, with the name of an avatar that the
 * service refused, with INIT_SUCCESS's data and with STATE_CHANGED's.
 */
export function startShow(avatar, page) {
  let videos = []; // of the avatar that is shown
  let instead; // the attribute that stands for a refused one
  const list = () => page.attempt(() => listAvatars(avatar), "show");

  /** Back to the avatar that is shown; where none is, else nothing would ever come, to the default one. */
  async function refused(name) {
    instead = undefined;
    const { connected, avatarId } = avatar.client;
    if (connected) choose(avatarId);
    await list();
    const usual = at("name").options[0]?.value ?? name;
    if (!connected && name !== usual) choose(usual);
  }

  function choose(name) {
    if (name) avatar.setAttribute("avatar", name);
    else avatar.removeAttribute("avatar");
    instead = avatar.getAttribute("avatar");
  }

  at("name").addEventListener("change", ({ target }) => {
    page.settle("avatar");
    avatar.setAttribute("avatar", target.value);
  });
  at("name").addEventListener("focus", list); // some may have been prepared meanwhile
  at("video").addEventListener("change", ({ target }) => avatar.state(target.value));
  for (const button of states()) {
    button.addEventListener("click", () => avatar.state(videos.find((name) => stateOf(name) === button.dataset.state)));
  }

  function show(state, video) {
    for (const button of states()) button.setAttribute("aria-pressed", String(button.dataset.state === state));
    at("video").replaceChildren(...videos.filter((name) => stateOf(name) === state).map((name) => new Option(name)));
    at("video").value = video;
  }

  return {
    list,
    refused,
    offer(info) {
      if (avatar.getAttribute("avatar") !== instead) page.settle("avatar");
      videos = info.available_videos;
      for (const button of states()) button.hidden = !videos.some((name) => stateOf(name) === button.dataset.state);
      show(stateOf(info.default_video), info.default_video);
      const count = info.limits?.actions ?? 0;
      at("actions").replaceChildren(...Array.from({ length: count }, (_, n) => actionButton(avatar, n + 1)));
      if (count === 0) at("actions").textContent = "none";
    },
    changed: ({ current_state, current_video }) => show(current_state, current_video),
  };
}

function actionButton(avatar, index) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = index;
  button.ariaLabel = `Action ${index}`;
  button.dataset.live = "";
  button.addEventListener("click", () => avatar.action(index));
  return button;
}

async function listAvatars(avatar) {
  const response = await fetch("/avatars");
  const { avatars, default: usual, detail } = await response.json();
  if (!response.ok) throw new Error(detail);
  const names = at("name");
  const wanted = [...new Set([usual, ...avatars.map(({ avatar_id }) => avatar_id)])];
  const known = [...names.options].map(({ value }) => value);
  // an open list must not change under the person's hand
  if (wanted.join(" ") !== known.join(" ")) names.replaceChildren(...wanted.map((name) => new Option(name)));
  names.value = avatar.getAttribute("avatar") || usual;
}
