"""The fitted tumour–immune system against trials: what it was fitted to, what it was not, and what it misses."""

from functools import lru_cache

from pkpd import load_result, load_trial
from pkpd.fit.predict import predict
from pkpd.fit.result import fitted

PATIENTS = 160  # an arm and draw: the interval is that of the trial's own size, and of 32 draws


@lru_cache
def rows(trial):
    parameters, account = load_result("immune")
    made = load_trial(trial)
    link = account.get("link", "")
    found = predict(made, parameters, PATIENTS, link if made.treatments else "", fitted=fitted(account, trial))
    assert not found["failures"]
    return {f"{r['figure']}:{r['arm']}": r for r in found["figures"]}
