// Invites a device: the code is shown once, as text and as a picture.
import { html, useState } from "../view.js";
import { t } from "../i18n.js";
import { post } from "../api.js";
import { moment } from "../format.js";
import { Ask, Dialog } from "./dialog.js";
import { useMe } from "./me.js";

const LIVES = { hour: 3600, day: 86_400, week: 604_800 };

export function Invite({ organisations, onClose }) {
  const me = useMe();
  const [made, setMade] = useState(null);
  const canAdd = me.isAdmin && me.isOfFederation;
  const [isNew, setNew] = useState(canAdd && organisations.length === 0);
  const act = async ({ organisation, called, name, most, lives }) => {
    const number = called ? (await post("/organisations", { name: called })).number : Number(organisation);
    const wanted = { organisation: number, expires_in_s: LIVES[lives], name: name || null, max_samples: most ? Number(most) : null };
    setMade(await post("/invitations", wanted));
    return true;
  };
  if (made) return html`<${Made} of=${made} onClose=${onClose} />`;
  return html`<${Ask} title=${t("device.invite")} text=${t("invite.text")} submit=${t("invite.make")} act=${act} onClose=${onClose}>
    ${isNew
      ? html`<label class="field"><span>${t("invite.organisation.new")}</span><input name="called" required maxlength="100" /></label>`
      : html`<label class="field"><span>${t("device.organisation")}</span>
          <select name="organisation" required>${organisations.map((each) => html`<option value=${each.number}>${each.name}</option>`)}</select></label>`}
    ${canAdd && organisations.length > 0 && html`<button type="button" class="plain" onClick=${() => setNew(!isNew)}>
      ${isNew ? t("invite.organisation.known") : t("invite.organisation.add")}</button>`}
    <label class="field"><span>${t("device.name")} <small>${t("optional")}</small></span><input name="name" maxlength="100" /></label>
    <label class="field"><span>${t("invite.lives")}</span><select name="lives">
      ${Object.keys(LIVES).map((name) => html`<option value=${name} selected=${name === "day"}>${t(`lives.${name}`)}</option>`)}</select></label>
    <label class="field"><span>${t("invite.most")} <small>${t("optional")}</small></span><input name="most" type="number" min="1" max="10000000" /></label>
  <//>`;
}

function Made({ of, onClose }) {
  const [isCopied, setCopied] = useState(false);
  const copy = () => navigator.clipboard?.writeText(of.code).then(() => setCopied(true), () => {});
  return html`<${Dialog} title=${t("invite.made")} onClose=${onClose}>
    <p>${t("invite.made.text")}</p>
    <img class="qr" src=${`data:image/svg+xml;utf8,${encodeURIComponent(of.picture)}`} alt=${t("invite.qr")} />
    <p class="code"><code>handfed join ${of.code}</code></p>
    <p class="hint">${t("invite.until")}: ${moment(of.invitation.expires_at)}</p>
    <div class="actions end">
      <button type="button" onClick=${copy}>${isCopied ? t("copied") : t("copy")}</button>
      <button type="button" class="primary" onClick=${onClose}>${t("close")}</button>
    </div>
  <//>`;
}
