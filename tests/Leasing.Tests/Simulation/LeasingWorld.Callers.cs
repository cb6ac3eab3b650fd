namespace FuncScaler.Tests.Leasing.Simulation;

/// <summary>Callers: they ask, wait, use, give back at whichever worker, repeat themselves, go away, forget.</summary>
internal sealed partial class LeasingWorld
{
    private readonly Dictionary<RequestId, Request> _requests = [];
    private readonly Dictionary<InstanceId, List<Use>> _uses = [];
    private long _longestWaitUs;

    /// <summary>Callers do not all change their minds at the same moment.</summary>
    private FunctionMeta FunctionNow
    {
        get
        {
            var function = _schedule.ChangeUs == long.MaxValue || _nowUs - StartUs < _schedule.ChangeUs || _dice.Percent(_schedule.FormerPercent)
                ? Schedule.Function
                : Schedule.Changed;
            return _schedule.Concurrency == 1 ? function : function with { MaxConcurrency = _schedule.Concurrency };
        }
    }

    private void Arrive()
    {
        if (AnyWorker() is not { } worker)
        {
            After(200 * Schedule.Ms, Arrive);
            return;
        }

        ArriveAt(worker);
    }

    private void ArriveAt(Worker worker)
    {
        if (!worker.Alive)
        {
            return;
        }

        var request = new Request(new RequestId($"r{_requests.Count + 1}"), _dice.Between(200, 5000) * Schedule.Ms);
        _longestWaitUs = Math.Max(_longestWaitUs, 6 * Schedule.Second);
        _requests.Add(request.Id, request);
        Assign(worker, request);
        switch (_dice.Next(10))
        {
            case 0:
                After(_dice.Between(0, 1500) * Schedule.Ms, () => AssignAgain(request));
                break;
            case 1:
                After(_dice.Between(0, 1500) * Schedule.Ms, () => Abandon(request));
                break;
            default:
                break;
        }
    }

    private void Assign(Worker worker, Request request)
    {
        Note($"{worker.Id} assign {request.Id}");
        request.WaitsAt = worker;
        On(worker, (core, now) => core.Assign(now, FunctionNow, request.Id, now + request.PatienceUs, _effects));
    }

    /// <summary>The gateway repeats itself, perhaps at another worker, while the first may still be under way.</summary>
    private void AssignAgain(Request request)
    {
        if (!request.Done && AnyWorker() is { } worker)
        {
            Note($"{worker.Id} assign {request.Id} again");
            if (worker == request.WaitsAt || request.WaitsAt is null)
            {
                request.WaitsAt = worker;
            }

            On(worker, (core, now) => core.Assign(now, FunctionNow, request.Id, now + request.PatienceUs, _effects));
        }
    }

    private void Abandon(Request request)
    {
        if (request.WaitsAt is { } worker)
        {
            Note($"{worker.Id} abandon {request.Id}");
            request.Done = true;
            foreach (var uses in _uses.Values)
            {
                uses.RemoveAll(u => u.Request == request.Id && u.Worker == worker);
            }

            On(worker, (core, now) => core.Abandon(now, Schedule.Function.Key, request.Id, _effects));
            request.WaitsAt = null;
        }
    }

    private void Answered(Worker worker, RequestId id)
    {
        var request = _requests[id];
        if (request.WaitsAt == worker)
        {
            request.WaitsAt = null;
        }
    }

    private void Granted(Worker worker, in Effect effect)
    {
        var request = _requests[effect.Request];
        var instance = effect.Instance;
        Note($"{worker.Id} grants {instance} to {request.Id} {effect.GrantKind}");
        _seen?.Add($"a grant {effect.GrantKind}{(request.Done || request.Instance is not null ? ", nobody reads it" : "")}");
        CheckFree(instance, request.Id, worker);
        Answered(worker, request.Id);
        if (request.Instance is not null || request.Done)
        {
            // A second answer, to a repeated Assign: nobody reads it, so nobody uses the instance, and the worker will find out.
            return;
        }

        var use = new Use(request.Id, worker, _nowUs + LongestHoldUs(worker, effect.Function));
        if (!_uses.TryGetValue(instance, out var uses))
        {
            _uses.Add(instance, uses = []);
        }

        uses.RemoveAll(u => u.EndUs <= _nowUs);
        uses.Add(use);
        if (uses.Count > 1)
        {
            _seen?.Add("a shared instance");
        }

        request.Instance = instance;
        if (_dice.Percent(4))
        {
            return;
        }

        var longestUs = LongestHoldUs(worker, effect.Function);
        var us = _schedule.EarlyCutOffs && IsCutOff(worker) ? longestUs : _dice.Percent(_schedule.LongPercent) ? _dice.Between(longestUs * 9 / 10, longestUs) : _dice.Between(1, 800) * Schedule.Ms;
        After(Math.Min(us, longestUs) - 1, () => Finish(worker, request, instance, use));
    }

    private long LongestHoldUs(Worker worker, FunctionMeta function) => (long)(_schedule.LongestHoldUs(function) / worker.Rate);

    private void Finish(Worker worker, Request request, InstanceId instance, Use use)
    {
        if (!_uses.TryGetValue(instance, out var uses) || !uses.Remove(use))
        {
            return;
        }

        request.Done = true;
        var result = new ReleaseResult(100 * Schedule.Ms, _dice.Percent(5));
        var times = _dice.Percent(25) ? _dice.Next(3) + 1 : 1;
        for (var i = 0; i < times; i++)
        {
            After(i == 0 ? 0 : _dice.Between(0, 3000) * Schedule.Ms, () => Release(worker, request, instance, result));
        }
    }

    private void Release(Worker assigned, Request request, InstanceId instance, ReleaseResult result)
    {
        var worker = assigned.Alive && !_dice.Percent(_schedule.ElsewherePercent) ? assigned : AnyWorker();
        if (worker is null)
        {
            return;
        }

        Note($"{worker.Id} release {request.Id} {instance}");
        On(worker, (core, now) =>
        {
            var outcome = core.Release(now, Schedule.Function.Key, request.Id, instance, result, _effects);
            _seen?.Add($"a release {outcome}{(core.Lease.IsOver(now) ? " without a lease" : "")}");
        });
    }

    private sealed class Request(RequestId id, long patienceUs)
    {
        public RequestId Id { get; } = id;

        public long PatienceUs { get; } = patienceUs;

        /// <summary>The worker that owes it an answer.</summary>
        public Worker? WaitsAt { get; set; }

        public InstanceId? Instance { get; set; }

        public bool Done { get; set; }
    }

    /// <summary>A request holds an instance until it releases it, and never beyond <see cref="EndUs"/>.</summary>
    private sealed record Use(RequestId Request, Worker Worker, long EndUs);
}
