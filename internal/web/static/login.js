// Says what went wrong with the last try, and offers the organisation's login
// where there is one.
document.getElementById("wrong").hidden = !location.search.includes("wrong");
document.getElementById("refused").hidden = !location.search.includes("refused");
const offers = await fetch("/auth/offers").then((r) => (r.ok ? r.json() : {}), () => ({}));
document.getElementById("oidc").hidden = !offers.oidc;
