namespace FuncScaler.Tests.Pool;

/// <summary>The backend of the simulated world.</summary>
internal sealed partial class World
{
    private readonly PriorityQueue<Action, (long AtUs, long Order)> _calendar = new();
    private readonly Dictionary<BackendSlotId, BackendSlot> _exists = [];

    /// <summary>Slots whose id the scaler has heard of, in an answer or a list.</summary>
    private readonly HashSet<BackendSlotId> _told = [];

    /// <summary>Tickets whose slot may exist without the scaler knowing: it was told otherwise, or by nobody.</summary>
    private readonly HashSet<SlotTicket> _excused = [];
    private bool _fair;
    private long _order;
    private int _calls;
    private int _lastSlot;

    private void BecomeFair()
    {
        _fair = true;
        Seen($"Fair with {(_waiting.Count > 0 ? "requests waiting" : "nobody waiting")}");
    }

    private void At(long delayUs, Action action) => _calendar.Enqueue(action, (_nowUs + delayUs, ++_order));

    private Dice CallDice(out bool faulty)
    {
        var dice = new Dice(((long)_scenario.Seed << 20) + ++_calls);
        faulty = dice.Percent(_scenario.FaultPercent) && !_fair;
        return dice;
    }

    /// <summary>The host carries a creation out, at once or when the backend's budget grants it.</summary>
    private void OnCreateSlot(Effect effect)
    {
        if (!_scenario.Rationed)
        {
            Create(effect);
            return;
        }

        _tickets[effect.Ticket].BegunUs = long.MaxValue / 2;
        _subject.HoldCreate(effect.Function.Key, effect.Ticket);
        Seen("CreateSlot held back");
        At(CallDice(out _).Between(0, 2_500_000), () =>
        {
            var kept = false;
            Event($"KeepHeldCreate {effect.Ticket}", () => kept = _subject.KeepHeldCreate(_nowUs, effect.Function.Key, effect.Ticket, _effects));
            if (!kept)
            {
                Seen("A held creation is not wanted any more");
                return;
            }

            _tickets[effect.Ticket].BegunUs = _nowUs;
            Event($"BeginCreate {effect.Ticket}", () => _subject.BeginCreate(_nowUs, effect.Function.Key, effect.Ticket));
            Create(effect);
        });
    }

    private void Create(Effect effect)
    {
        var ticket = effect.Ticket;
        var key = effect.Function.Key;
        var dice = CallDice(out var faulty);
        var latencyUs = dice.Between(1_000, 400_000);
        var answerUs = latencyUs + dice.Between(0, 20_000);
        var id = new BackendSlotId($"s{++_lastSlot}");

        void Make(long delayUs) => At(delayUs, () => _exists.Add(id, new BackendSlot(ticket)));
        void Created(long delayUs, BackendSlotId which, string how) => At(delayUs, () => AnswerCreated(key, ticket, which, how));
        void Failed(long delayUs, SlotFailure failure) => At(delayUs, () => AnswerFailed(key, ticket, failure));

        switch (faulty ? dice.Next(11) : -1)
        {
            case 0:
                latencyUs = dice.Between(_options.CreateTimeout.ToUs(), 4 * _options.CreateTimeout.ToUs());
                Make(latencyUs);
                Created(latencyUs, id, "late");
                break;
            case 1:
                Make(latencyUs);
                Created(answerUs, id, "first");
                Created(answerUs + dice.Between(0, 3_000_000), id, "duplicate");
                break;
            case 2:
                if (dice.Percent(50))
                {
                    Make(latencyUs);
                }

                Seen("CreateSlot without an answer");
                break;
            case 3:
                Failed(answerUs, new SlotFailure(FailureKind.Transient, "broken"));
                break;
            case 4:
            case 5:
                var failedUs = dice.Between(1_000, 400_000);
                Failed(failedUs, new SlotFailure(FailureKind.Transient, "no answer", OutcomeUnknown: true));
                if (dice.Percent(60))
                {
                    latencyUs = dice.Between(0, 800_000);
                    Make(latencyUs);
                    if (dice.Percent(50))
                    {
                        Created(Math.Max(failedUs, latencyUs) + dice.Between(0, 400_000), id, "after its failure");
                    }
                }

                break;
            case 6:
                Failed(answerUs, new SlotFailure(FailureKind.Throttled, "too fast", dice.Percent(50) ? 1_000_000 : 0));
                break;
            case 7:
                Failed(answerUs, new SlotFailure(FailureKind.Permanent, "no such size"));
                break;
            case 8:
                At(answerUs, () =>
                {
                    if (_exists.Count > 0)
                    {
                        AnswerCreated(key, ticket, dice.Pick(_exists.Keys.ToList()), "lying");
                    }
                    else
                    {
                        AnswerFailed(key, ticket, new SlotFailure(FailureKind.Transient, "broken"));
                    }
                });
                if (dice.Percent(30))
                {
                    _excused.Add(ticket);
                    Make(latencyUs);
                }

                break;
            case 9:
                // Says that it failed, but it did not.
                Make(latencyUs);
                _excused.Add(ticket);
                Failed(answerUs, new SlotFailure(FailureKind.Transient, "lying"));
                break;
            case 10:
                Make(latencyUs);
                Created(answerUs, id, "first");
                Failed(answerUs + dice.Between(0, 1_000_000), new SlotFailure(FailureKind.Transient, "and failed", OutcomeUnknown: dice.Percent(50)));
                break;
            default:
                Make(latencyUs);
                Created(answerUs, id, "well");
                break;
        }
    }

    private void OnInitSlot(Effect effect)
    {
        var ticket = effect.Ticket;
        var key = effect.Function.Key;
        var dice = CallDice(out var faulty);
        var latencyUs = dice.Between(1_000, 1_000_000);
        var answerUs = latencyUs + dice.Between(0, 20_000);
        var done = false;

        void Make() => At(latencyUs, () => done = Initialise(effect));
        void Answer(long delayUs) => At(delayUs, () =>
        {
            if (done)
            {
                AnswerReady(key, ticket);
            }
            else
            {
                AnswerFailed(key, ticket, new SlotFailure(FailureKind.Transient, "no such slot"));
            }
        });

        switch (faulty ? dice.Next(6) : -1)
        {
            case 0:
                latencyUs = dice.Between(_options.InitTimeout.ToUs(), 2 * _options.InitTimeout.ToUs());
                Make();
                Answer(latencyUs);
                break;
            case 1:
                Make();
                Answer(answerUs);
                Answer(answerUs + dice.Between(0, 2_000_000));
                break;
            case 2:
                if (dice.Percent(50))
                {
                    Make();
                }

                Seen("Init without an answer");
                break;
            case 3:
                if (dice.Percent(50))
                {
                    Make();
                }

                At(answerUs, () => AnswerFailed(key, ticket, new SlotFailure(FailureKind.Transient, "init failed", OutcomeUnknown: true)));
                break;
            case 4:
                At(answerUs, () => AnswerFailed(key, ticket, new SlotFailure(FailureKind.Permanent, "no such runtime")));
                break;
            case 5:
                Make();
                Answer(answerUs);
                At(answerUs + dice.Between(0, 500_000), () => AnswerFailed(key, ticket, new SlotFailure(FailureKind.Transient, "init failed late")));
                break;
            default:
                Make();
                Answer(answerUs);
                break;
        }
    }

    private bool Initialise(Effect effect)
    {
        if (!_exists.TryGetValue(effect.BackendSlot, out var slot))
        {
            return false;
        }

        Require(slot.Instance is null, $"Slot {effect.BackendSlot} was initialised twice");
        slot.Instance = effect.Instance;
        return true;
    }

    private void OnDestroySlot(Effect effect)
    {
        var ticket = effect.Ticket;
        var key = effect.Function.Key;
        var dice = CallDice(out var faulty);
        var latencyUs = dice.Between(1_000, 400_000);
        var answerUs = latencyUs + dice.Between(0, 20_000);
        Seen(effect.BackendSlot == default ? "DestroySlot by ticket" : "DestroySlot");

        void Unmake(long delayUs) => At(delayUs, () => Remove(effect));
        void Destroyed(long delayUs) => At(delayUs, () =>
        {
            if (effect.BackendSlot == default)
            {
                // Nothing, or what was found, is gone; what is created later is not.
                _excused.Add(ticket);
            }

            Event($"SlotDestroyed {ticket}", () => _subject.SlotDestroyed(_nowUs, key, ticket, _effects));
        });

        switch (faulty ? dice.Next(5) : -1)
        {
            case 0:
                Unmake(latencyUs);
                Destroyed(dice.Between(_options.DestroyTimeout.ToUs(), 4 * _options.DestroyTimeout.ToUs()));
                break;
            case 1:
                Unmake(latencyUs);
                Destroyed(answerUs);
                Destroyed(answerUs + dice.Between(0, 1_000_000));
                break;
            case 2:
                if (dice.Percent(50))
                {
                    Unmake(latencyUs);
                }

                Seen("DestroySlot without an answer");
                break;
            case 3:
                if (dice.Percent(50))
                {
                    Unmake(latencyUs);
                }

                At(answerUs, () => AnswerFailed(key, ticket, new SlotFailure(FailureKind.Transient, "destroy failed", OutcomeUnknown: true)));
                break;
            case 4:
                At(answerUs, () => AnswerFailed(key, ticket, new SlotFailure(FailureKind.Throttled, "destroy throttled", 700_000)));
                break;
            default:
                Unmake(latencyUs);
                Destroyed(answerUs);
                break;
        }
    }

    private void Remove(Effect effect)
    {
        if (effect.BackendSlot != default)
        {
            _exists.Remove(effect.BackendSlot);
        }
        else if (_scenario.Tickets)
        {
            foreach (var (id, _) in _exists.Where(s => s.Value.Ticket == effect.Ticket).ToList())
            {
                _exists.Remove(id);
            }
        }
    }

    private void AnswerCreated(MetaKey key, SlotTicket ticket, BackendSlotId id, string how)
    {
        Seen($"SlotCreated {how} for a slot {StateOf(ticket)}");
        _told.Add(id);
        Event($"SlotCreated {ticket} {id} ({how})", () => _subject.SlotCreated(_nowUs, key, ticket, id, _effects));
    }

    private void AnswerReady(MetaKey key, SlotTicket ticket)
    {
        Seen($"SlotReady for a slot {StateOf(ticket)}");
        Event($"SlotReady {ticket}", () => _subject.SlotReady(_nowUs, key, ticket, _effects));
    }

    private void AnswerFailed(MetaKey key, SlotTicket ticket, SlotFailure failure)
    {
        if (_destroyAskedUs.ContainsKey(ticket))
        {
            _destroyFailed.Add(ticket);
        }

        Seen($"SlotFailed {failure.Kind}{(failure.OutcomeUnknown ? ", outcome unknown," : "")} for a slot {StateOf(ticket)}");
        Event($"SlotFailed {ticket} {failure.Kind} {failure.Message}", () => _subject.SlotFailed(_nowUs, key, ticket, failure, _effects));
    }

    /// <summary>Asks for the list; it is made somewhat later, and arrives later still.</summary>
    private void Reconcile(Dice dice)
    {
        var askedUs = _nowUs;
        var madeUs = dice.Between(0, 300_000);
        At(madeUs, () =>
        {
            var listed = _exists.Select(s => new ListedSlot(s.Key, _scenario.Tickets ? s.Value.Ticket : default)).ToList();
            At(dice.Between(0, 300_000), () =>
            {
                foreach (var slot in listed)
                {
                    _told.Add(slot.Id);
                }

                foreach (var (ticket, info) in _tickets)
                {
                    // What is created so late may come to light with a later answer or list.
                    if (info.Overdue)
                    {
                        _excused.Add(ticket);
                    }
                }

                foreach (var slot in _subject.Pools.SelectMany(p => p.Slots).Where(s => !listed.Exists(l => l.Id == s.BackendId)))
                {
                    Seen($"The list lacks a slot {slot.State}");
                }

                Event($"Reconcile, asked {askedUs}: {string.Join(' ', listed)}", () => _subject.Reconcile(_nowUs, askedUs, listed, _effects));
            });
        });
    }

    private void LoseSlot(Dice dice)
    {
        if (_exists.Count > 0)
        {
            var id = dice.Pick(_exists.Keys.ToList());
            _exists.Remove(id);
            _trace.Add($"{_nowUs}: the backend loses {id}");
        }
    }

    private void PlantSlot()
    {
        var id = new BackendSlotId($"s{++_lastSlot}");
        _exists.Add(id, new BackendSlot(default));
        _trace.Add($"{_nowUs}: an orphan {id} appears");
    }

    private sealed class BackendSlot(SlotTicket ticket)
    {
        public SlotTicket Ticket { get; } = ticket;

        public InstanceId? Instance { get; set; }
    }
}
