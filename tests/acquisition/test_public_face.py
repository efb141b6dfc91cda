import inspect
import subprocess
import sys

import acquisition


def test_the_public_names_are_a_sorted_list_that_exists():
    assert sorted(acquisition.__all__) == acquisition.__all__
    assert all(inspect.getdoc(getattr(acquisition, name)) for name in acquisition.__all__)


def test_the_promised_calls_keep_their_arguments():
    promised = {
        "calibrate": "(name, log_probs, targets, **options)",
        "calibrated": "(posterior, calibration)",
        "compose": "(name, scores, **options)",
        "embed": "(posterior, inputs)",
        "ensemble": "(models",
        "fit": "(name, module_factory, data, seed=0, progress=None, **options)",
        "mc_dropout": "(model, task='classification')",
        "predict": "(posterior, inputs, n_samples=20, seed=0)",
        "rank_pool": "(posterior, batches, function='bald', n_samples=20, keep=1000, seed=0, device=None, "
        "**options)",
        "restore": "(name, module_factory, state, task='classification')",
        "score": "(name, log_probs_T_N_C, **options)",
        "score_pool": "(posterior, batches, function='bald', n_samples=20, seed=0, start=0, device=None, "
        "**options)",
        "restore_calibration": "(name, state)",
        "stop": "(name, history, **options)",
        "select": "(name, candidates, batch_size, seed=0, *, function='bald', **options)",
    }
    for name, expected in promised.items():
        signature = inspect.signature(getattr(acquisition, name))
        plain = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
        bare = signature.replace(parameters=plain, return_annotation=inspect.Signature.empty)
        assert str(bare).startswith(expected)


def test_importing_the_package_imports_nothing_of_a_database_a_labeling_tool_or_the_web():
    strangers = (
        "baal sklearn scipy gpytorch peft transformers sentence_transformers sqlalchemy alembic "
        "label_studio_sdk httpx starlette uvicorn pandas pydantic typer matplotlib workbench connectors"
    )
    code = (
        "import sys, acquisition; acquisition.catalog(); "
        f"print(sorted(set({strangers!r}.split()) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
