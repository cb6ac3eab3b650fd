using FuncScaler.Policies;

namespace FuncScaler.Tests.Pool;

/// <summary>
/// Callers, a host and a backend around the decision core, in simulated time and with everything going wrong that a scenario asks for.
/// Keeps its own books and compares the core with them after every event.
/// </summary>
internal sealed partial class World
{
    private readonly Scenario _scenario;
    private readonly Subject _subject;
    private readonly TwinSubject? _twin;
    private readonly SlotPoolOptions _options;
    private readonly Dictionary<string, int> _seen;
    private readonly List<string> _trace = [];
    private readonly List<Effect> _effects = [];
    private readonly FunctionMeta[] _functions =
    [
        new(new MetaKey("f"), "go", 600, 512),
        new(new MetaKey("fn"), "python", 0, 128),
        new(new MetaKey("fun"), "java", 1, 2048),
    ];

    private readonly Dice _dice;
    private long _nowUs;
    private int _lastRequest;

    /// <param name="scenario">What happens.</param>
    /// <param name="seen">Where it is counted what the run has come by.</param>
    /// <param name="twin">Whether a second core, which settles as late as it may, is told the same.</param>
    public World(Scenario scenario, Dictionary<string, int>? seen = null, bool twin = false)
    {
        _scenario = scenario;
        _functions = [.. _functions.Select(f => f with { MaxConcurrency = scenario.Concurrency })];
        _seen = seen ?? [];
        _options = scenario.Options;
        _dice = new Dice(scenario.Seed);
        var choice = new PolicyChoice(scenario.Policy.ToString(), host =>
        {
            var make = scenario.BeginPolicy(host);
            return f => new RecordingPolicy(make(f), _keepUntilUs);
        });
        _twin = twin ? new TwinSubject(choice, new PolicyChoice(choice.Name, scenario.BeginPolicy), _options) : null;
        _subject = _twin ?? (Subject)(scenario.Core ? new CoreSubject(choice, _options) : new PoolSubject(_functions[0], choice, _options));
    }

    /// <summary>How many events have left something to settle, where there is a twin.</summary>
    public int Unsettled => _twin?.Unsettled ?? 0;

    /// <summary>What happened, line by line.</summary>
    public IReadOnlyList<string> Trace => _trace;

    /// <summary>Plays the scenario, then makes the backend fair, and stops the scaler.</summary>
    public World Run()
    {
        try
        {
            foreach (var step in _scenario.Steps)
            {
                Step(new Dice(step));
            }

            if (_scenario.DrainWhileBusy)
            {
                Drain();
            }

            BecomeFair();
            ServeEverybody();
            Drain();
            RunFor(20_000_000);
            Reconcile(new Dice(1));
            RunFor(20_000_000);
            CheckNothingIsLeft();
            _twin?.CheckSettled(_nowUs);
            return this;
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{e.Message}\nThe last events:\n{string.Join('\n', _trace.TakeLast(60))}", e);
        }
    }

    private void Step(Dice dice)
    {
        RunFor(dice.Next(8) switch
        {
            0 => 0,
            1 or 2 => dice.Between(1, 1_000),
            3 or 4 or 5 => dice.Between(1_000, 100_000),
            6 => dice.Between(100_000, 3_000_000),
            _ => dice.Percent(20) ? dice.Between(3_000_000, 15_000_000) : dice.Between(1_000, 100_000),
        });
        switch (dice.Next(100))
        {
            case < 42:
                AssignNew(dice);
                break;
            case < 66:
                ReleaseHeld(dice);
                break;
            case < 71:
                AssignAgain(dice);
                break;
            case < 77:
                Abandon(dice);
                break;
            case < 83:
                ReleaseWrongly(dice);
                break;
            case < 89:
                Reconcile(dice);
                break;
            case < 92:
                LoseSlot(dice);
                break;
            case < 94:
                PlantSlot();
                break;
            case < 97:
                if (_scenario.Limited && dice.Percent(50))
                {
                    SetLimits(dice);
                }
                else if (_scenario.Limited && dice.Percent(30))
                {
                    SetGroups(dice);
                }
                else
                {
                    ChangeFunction(dice);
                }

                break;
            default:
                Event("Tick without need", () => _subject.Tick(_nowUs, _effects), ticked: true);
                break;
        }
    }

    private int AnyFunction(Dice dice) => _scenario.Core ? dice.Next(_functions.Length) : 0;

    private void AssignNew(Dice dice)
    {
        var deadlineUs = dice.Next(10) switch
        {
            < 4 => long.MaxValue,
            4 => _nowUs,
            _ => _nowUs + dice.Between(1_000, 10_000_000),
        };
        Assign(AnyFunction(dice), new RequestId($"r{++_lastRequest}"), deadlineUs);
    }

    private void AssignAgain(Dice dice)
    {
        var known = _waiting.Select(w => (w.Key, w.Value.Function)).Concat(_held.Select(h => (h.Key, h.Value.Function))).ToList();
        if (known.Count > 0)
        {
            var (request, function) = dice.Pick(known);
            Seen(_held.ContainsKey(request) ? "Assign of a request that holds an instance" : "Assign of a request that waits");
            Assign(function, request, _nowUs + 1_000_000);
        }
    }

    private void Assign(int function, RequestId request, long deadlineUs)
    {
        _repeated = _held.TryGetValue(request, out var held) && held.ExpiresUs > _nowUs ? request : null;
        var grantsBefore = _grants;
        var isNew = _repeated is null && !_waiting.ContainsKey(request);
        if (isNew)
        {
            _held.Remove(request);
            _waiting.Add(request, new Waiting(function, FitOf(_functions[function]), _nowUs, deadlineUs));
        }

        _callers[request] = isNew ? 1 : _callers[request] + 1;
        var idle = !isNew || _draining ? 0 : IdleOrder(function, FitOf(_functions[function])).Count + FreePlaces(function);
        Event($"Assign {request} of {function} until {deadlineUs}", () => _subject.Assign(_nowUs, _functions[function], request, deadlineUs, _effects));
        if (idle > 0)
        {
            Require(_held.ContainsKey(request), "A request was not served although an instance was idle, or had a free place");
        }

        if (_repeated is not null)
        {
            Require(_grants == grantsBefore + 1, "A repeated Assign of a request that holds an instance was not answered once");
            _repeated = null;
        }
        else if (!isNew)
        {
            Require(_grants == grantsBefore, "A repeated Assign of a waiting request was answered by itself");
        }
    }

    private void ReleaseHeld(Dice dice)
    {
        if (_held.Count > 0)
        {
            Release(_held.Keys.ElementAt(dice.Next(_held.Count)), new ReleaseResult(dice.Between(0, 100_000), dice.Percent(8)));
        }
    }

    private void Release(RequestId request, ReleaseResult result)
    {
        var held = _held[request];
        ReleaseOutcome? outcome = null;
        _released.Add((request, held));
        _releasing = (request, result);
        Event(
            $"Release {request} {result}",
            () => outcome = _subject.Release(_nowUs, _functions[held.Function].Key, request, held.Instance, result, _effects));
        _releasing = null;
        Require(outcome == ReleaseOutcome.Released, $"The release of {request} was answered with {outcome}");
        Seen(result.NeedDestroy ? "Release of a broken instance" : "Release");
        if (result.NeedDestroy && _held.Values.Any(h => h.Instance == held.Instance))
        {
            Seen("Release of a broken instance that others hold");
        }
    }

    private void ReleaseWrongly(Dice dice)
    {
        (RequestId Request, int Function, InstanceId Instance, ReleaseOutcome Expected) wrong;
        if (dice.Percent(40) && _held.Count > 0)
        {
            var (request, held) = _held.ElementAt(dice.Next(_held.Count));
            var other = dice.Percent(50) ? new InstanceId("nonsense") : dice.Pick(_held.Values.ToList()).Instance;
            if (other == held.Instance)
            {
                return;
            }

            wrong = (request, held.Function, other, ReleaseOutcome.InstanceMismatch);
        }
        else if (dice.Percent(50) && _released.Count > 0)
        {
            var (request, held) = dice.Pick(_released);
            wrong = (request, held.Function, held.Instance, ReleaseOutcome.UnknownAssignment);
        }
        else if (dice.Percent(50) && _expired.Count > 0)
        {
            var (request, held) = dice.Pick(_expired);
            wrong = (request, held.Function, held.Instance, ReleaseOutcome.UnknownAssignment);
            Seen("Release of an expired assignment");
        }
        else if (_waiting.Count > 0)
        {
            wrong = (_waiting.Keys.First(), _waiting.Values.First().Function, new InstanceId("nonsense"), ReleaseOutcome.UnknownAssignment);
        }
        else
        {
            wrong = (new RequestId("never"), AnyFunction(dice), new InstanceId("nonsense"), ReleaseOutcome.UnknownAssignment);
        }

        var before = Fingerprint();
        ReleaseOutcome? outcome = null;
        Event(
            $"Release wrongly {wrong}",
            () => outcome = _subject.Release(_nowUs, _functions[wrong.Function].Key, wrong.Request, wrong.Instance, default, _effects));
        Require(outcome == wrong.Expected, $"A wrong release was answered with {outcome} instead of {wrong.Expected}");
        Require(Fingerprint() == before, "A wrong release changed something");
        Seen($"Release answered with {outcome}");
    }

    private void Abandon(Dice dice)
    {
        var known = _waiting.Select(w => (w.Key, w.Value.Function)).Concat(_held.Select(h => (h.Key, h.Value.Function))).ToList();
        if (known.Count == 0)
        {
            var before = Fingerprint();
            Event("Abandon nobody", () => _subject.Abandon(_nowUs, _functions[0].Key, new RequestId("never"), _effects));
            Require(Fingerprint() == before, "Abandoning an unknown request changed something");
            return;
        }

        var (request, function) = dice.Pick(known);
        if (--_callers[request] > 0)
        {
            var before = Fingerprint();
            Event($"Abandon {request} by one of its callers", () => _subject.Abandon(_nowUs, _functions[function].Key, request, _effects));
            Require(Fingerprint() == before, "A request was given up while another caller waits for it");
            Seen("Abandon by one of several callers");
            return;
        }

        var waited = _waiting.ContainsKey(request);
        _releasing = waited ? null : (request, default);
        Event($"Abandon {request}", () => _subject.Abandon(_nowUs, _functions[function].Key, request, _effects));
        _releasing = null;
        Require(!_waiting.ContainsKey(request) && !_held.ContainsKey(request), "An abandoned request still waits or holds an instance");
        Seen(waited ? "Abandon of a waiting request" : "Abandon of a granted request");
    }

    private void ChangeFunction(Dice dice)
    {
        var function = AnyFunction(dice);
        var old = _functions[function];
        _functions[function] = dice.Next(_scenario.Concurrency > 1 ? 4 : 3) switch
        {
            3 => old with { MaxConcurrency = (old.MaxConcurrency + dice.Next(7)) % 8 + 1 },
            0 when _scenario.Core => old with { MemoryMb = old.MemoryMb == 512 ? 1024 : 512 },
            1 when _scenario.Core => old with { Runtime = old.Runtime == "go" ? "rust" : "go" },
            _ => old with { TimeoutSeconds = old.TimeoutSeconds == 600 ? 1 : 600 },
        };
        Seen(_functions[function].MaxConcurrency == old.MaxConcurrency ? "Function changed" : "Function changed its concurrency");
        if (_functions[function].TimeoutSeconds == old.TimeoutSeconds && _functions[function].MaxConcurrency == old.MaxConcurrency)
        {
            foreach (var slot in SlotsOf(function))
            {
                Seen($"Function changed while a slot is {slot.State}");
            }
        }

        // The core learns of it with the next request.
        Assign(function, new RequestId($"r{++_lastRequest}"), long.MaxValue);
    }

    private void SetGroups(Dice dice)
    {
        var groups = new List<FunctionGroup>();
        for (var left = dice.Next(4); left > 0; left--)
        {
            var (parent, child) = (_functions[AnyFunction(dice)], _functions[AnyFunction(dice)]);
            if (!groups.Exists(g => (g.Parent, g.Child) == (parent.Key, child.Key)))
            {
                groups.Add(new FunctionGroup(parent.Key, child.Key, 1 + dice.Next(3))
                {
                    Delay = dice.Percent(50) ? null : TimeSpan.FromMilliseconds(dice.Next(20_000)),
                    ChildSettings = dice.Percent(50) ? null : child,
                });
            }
        }

        Event($"{groups.Count} groups", () => _subject.SetGroups(_nowUs, groups, _effects));
        Seen(groups.Count > 0 ? "Groups" : "No groups");
    }

    private void SetLimits(Dice dice)
    {
        var function = AnyFunction(dice);
        var min = dice.Next(4);
        var limits = dice.Percent(20) ? FunctionLimits.None : new FunctionLimits
        {
            MinInstances = min,
            MaxInstances = dice.Percent(50) ? 0 : min + dice.Next(3) + (min == 0 ? 1 : 0),
            MaxWaiting = dice.Percent(70) ? null : 1 + dice.Next(5),
            Concurrency = dice.Percent(70) ? null : 1 + dice.Next(8),
            LatencyPriceGbs = dice.Percent(70) ? null : dice.Next(100),
        };
        _limits[function] = limits;
        Event($"Limits of {function}: {limits}", () => _subject.SetLimits(_nowUs, _functions[function], limits, _effects));
        Seen(limits.MinInstances > 0 ? "Limits with a floor" : "Limits");
    }

    private void Drain()
    {
        _draining = true;
        Event("Drain", () => _subject.Drain(_nowUs, _effects));
        Assign(0, new RequestId($"r{++_lastRequest}"), long.MaxValue);
    }

    /// <summary>Everybody is served once the backend is fair again, in less time than all time-outs together.</summary>
    private void ServeEverybody()
    {
        for (var i = 0; i < 60 && (_waiting.Count > 0 || _held.Count > 0 || i < 30); i++)
        {
            foreach (var request in _held.Keys.ToList())
            {
                if (_held.ContainsKey(request))
                {
                    Release(request, new ReleaseResult(10_000, false));
                }
            }

            if (i == 25)
            {
                Reconcile(new Dice(2));
            }

            RunFor(500_000);
        }

        Require(_waiting.Count == 0, $"{_waiting.Count} requests wait for ever");
    }

    private void RunFor(long us)
    {
        var untilUs = _nowUs + us;
        for (var events = 0; ; events++)
        {
            Require(events < 100_000, "Time stands still");
            var nextUs = Math.Min(_subject.WakeAtUs, _calendar.TryPeek(out _, out var due) ? due.AtUs : long.MaxValue);
            if (nextUs > untilUs)
            {
                break;
            }

            PassTimeTo(nextUs);
            var wakeIsDue = _subject.WakeAtUs <= _nowUs;
            var answerIsDue = _calendar.TryPeek(out _, out due) && due.AtUs <= _nowUs;
            if (wakeIsDue && !(answerIsDue && _dice.Percent(50)))
            {
                Event("Tick", () => _subject.Tick(_nowUs, _effects), ticked: true);
            }
            else
            {
                _calendar.Dequeue()();
            }
        }

        PassTimeTo(untilUs);
    }

    private void PassTimeTo(long us)
    {
        if (us > _nowUs)
        {
            CheckNothingIsDue();
            _nowUs = us;
        }
    }

    private void Seen(string what) => _seen[what] = _seen.GetValueOrDefault(what) + 1;

    private static void Require(bool condition, string otherwise)
    {
        if (!condition)
        {
            throw new InvalidOperationException(otherwise + ".");
        }
    }
}
