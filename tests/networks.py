"""The networks that many tests simulate."""

import acme_lib as acme


def birth_death(k=10.0, g=1.0):
    """Birth at the rate k and death at g a molecule."""
    return acme.ReactionNetwork.parse("0 -> M : k\nM -> 0 : g", k=k, g=g)


def two_stage(k_m=10.0, k_p=5.0, g_m=1.0, g_p=0.5):
    """Transcription and translation."""
    text = "0 -> M : k_m\nM -> M + P : k_p\nM -> 0 : g_m\nP -> 0 : g_p"
    return acme.ReactionNetwork.parse(text, k_m=k_m, k_p=k_p, g_m=g_m, g_p=g_p)
