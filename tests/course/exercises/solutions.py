"""The right solution of every exercise, as what to put in place of the template's dots; and wrong ones."""

from npvae.course.exercises.catalogue import EXERCISES

SOLUTIONS = {
    "dense": {"dx = ...": "dx = dy @ W.T", "dW = ...": "dW = x.T @ dy", "db = ...": "db = dy.sum(axis=0)"},
    "relu": {"dx = ...": "dx = dy * (x > 0)"},
    "sigmoid": {
        "p = cache\n    d_logits = ...": "p = cache\n    d_logits = dp * p * (1 - p)",
        "dp = ...": "dp = d_loss[:, None] * (p - x) / (p * (1 - p))",
        "p, x = cache\n    d_logits = ...": "p, x = cache\n    d_logits = d_loss[:, None] * (p - x)",
    },
    "reparameterize": {
        "d_mu = ...": "d_mu = dz",
        "d_log_var = ...": "d_log_var = dz * eps * np.exp(log_var / 2) / 2",
    },
    "kl": {
        "d_mu = ...": "d_mu = d_kl[:, None] * mu",
        "d_log_var = ...": "d_log_var = d_kl[:, None] * (np.exp(log_var) - 1) / 2",
    },
    "bernoulli": {
        "log_likelihood = ...": "log_likelihood = (x * logits - np.logaddexp(0, logits)).sum(axis=1)",
        "d_logits = ...": "e = np.exp(-np.abs(logits))\n"
        "    d_logits = d_log_likelihood[:, None] * (x - np.where(logits > 0, 1, e) / (1 + e))",
    },
    "gaussian": {
        "d_mean = ...": "d_mean = d_log_likelihood[:, None] * (x - mean) * np.exp(-log_noise_var)",
        "d_log_noise_var = ...": "squares = ((x - mean) ** 2).sum(axis=1)\n"
        "    terms = squares * np.exp(-log_noise_var) - x.shape[1]\n"
        "    d_log_noise_var = np.reshape((d_log_likelihood * terms).sum() / 2, (1,))",
    },
    "vae": {
        'grads["output.W"] = ...': "n = len(x)\n"
        "    d_logits = (1 / (1 + np.exp(-logits)) - x) / n\n"
        '    grads["output.W"] = g.T @ d_logits',
        'grads["output.b"] = ...': 'grads["output.b"] = d_logits.sum(axis=0)',
        'grads["decoder.W"] = ...': 'dc = (d_logits @ params["output.W"].T) * (c > 0)\n'
        '    grads["decoder.W"] = z.T @ dc',
        'grads["decoder.b"] = ...': 'grads["decoder.b"] = dc.sum(axis=0)',
        'grads["mu.W"] = ...': 'dz = dc @ params["decoder.W"].T\n'
        "    d_mu = dz + mu / n\n"
        '    grads["mu.W"] = h.T @ d_mu',
        'grads["mu.b"] = ...': 'grads["mu.b"] = d_mu.sum(axis=0)',
        'grads["log_var.W"] = ...': "d_log_var = dz * eps * np.exp(log_var / 2) / 2\n"
        "    d_log_var = d_log_var + (np.exp(log_var) - 1) / 2 / n\n"
        '    grads["log_var.W"] = h.T @ d_log_var',
        'grads["log_var.b"] = ...': 'grads["log_var.b"] = d_log_var.sum(axis=0)',
        'grads["encoder.W"] = ...': 'dh = d_mu @ params["mu.W"].T + d_log_var @ params["log_var.W"].T\n'
        "    da = dh * (a > 0)\n"
        '    grads["encoder.W"] = x.T @ da',
        'grads["encoder.b"] = ...': 'grads["encoder.b"] = da.sum(axis=0)',
    },
    "iwae": {
        "d_log_weights = ...": "weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))\n"
        "    d_log_weights = d_bound[:, None] * weights / weights.sum(axis=1, keepdims=True)",
    },
    "digits": {
        'raise NotImplementedError("update is not written yet")': "for name in params:\n"
        "        velocity[name] = momentum * velocity[name] + grads[name]\n"
        "        params[name] -= learning_rate * velocity[name]",
        "z = ...  # (n, Z)": "z = rng.standard_normal((n, latent_dim))",
        "c = ...  # (n, H)": 'c = z @ params["decoder.W"] + params["decoder.b"]',
        "logits = ...  # (n, D)": 'logits = np.maximum(c, 0) @ params["output.W"] + params["output.b"]',
        "p = ...  # (n, D)": "p = 1 / (1 + np.exp(-logits))",
    },
}


def solution(name, replaced=None):
    """The text of a solved file; `replaced` maps parts of it to what stands there instead."""
    text = EXERCISES[name].template()
    for dots, line in SOLUTIONS[name].items():
        assert text.count(dots) == 1, dots
        text = text.replace(dots, line)
    for right, other in (replaced or {}).items():
        assert right in text, right
        text = text.replace(right, other)
    return text
