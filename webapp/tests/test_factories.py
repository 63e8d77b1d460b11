from webapp.tests import factories


def test_a_run_goes_from_the_queue_to_done(job):
    factories.worker()
    run = factories.finish([True, True, False, True])

    assert run.state == "done"
    assert run.mean == 0.75
    job.refresh_from_db()
    assert job.state == "running"
    assert job.reason == "1 of 4 runs done, 0 running, 3 waiting."
