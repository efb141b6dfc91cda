import pytest
import torch

import acquisition


def refuse(log_probs, match, error=acquisition.InvalidInput):
    with pytest.raises(error, match=match) as caught:
        acquisition.score("bald", log_probs)
    return caught.value


def test_a_table_of_the_wrong_shape_is_refused(log_probs_T_N_C):
    refuse(log_probs_T_N_C[0], r"\[T samples, N items, C classes\], found a tensor of shape \[30, 4\]")
    refuse(log_probs_T_N_C.numpy(), "found ndarray")
    refuse(log_probs_T_N_C[:0], "At least one sample")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64])
def test_half_precision_is_refused_and_not_repaired(log_probs_T_N_C, dtype):
    refuse(log_probs_T_N_C.to(dtype), "Expected float32 or float64")


def test_probabilities_and_logits_are_not_taken_for_log_probabilities(log_probs_T_N_C):
    refuse(log_probs_T_N_C.exp(), "row 0 sum to .* not to 1")
    refuse(log_probs_T_N_C + 0.1, "not to 1")


def test_rows_without_a_number_are_named(log_probs_T_N_C):
    log_probs_T_N_C[2, 7, 1] = torch.nan
    log_probs_T_N_C[0, 3, 0] = torch.inf
    error = refuse(log_probs_T_N_C, "in the log-probabilities of 2 rows: 3, 7", acquisition.NotFinite)
    assert error.rows == (3, 7)


def test_at_most_a_hundred_rows_are_carried():
    error = refuse(torch.full((1, 300, 2), torch.nan), "of 300 rows: 0, 1, 2, 3, 4, …", acquisition.NotFinite)
    assert error.rows == tuple(range(100))


def test_an_empty_table_has_no_scores():
    assert acquisition.score("bald", torch.empty(3, 0, 2)).shape == (0,)
