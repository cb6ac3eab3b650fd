using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.Runtime.Soaking;

/// <summary>A platform whose every call waits until the world answers it: well, badly, with a lie, twice, too late, or not at all for a long time.</summary>
/// <param name="dice">Decides.</param>
/// <param name="log">What happens is told there.</param>
internal abstract class SimulatedPlatform(Dice dice, SoakLog log)
{
    private readonly List<PendingCall> _pending = [];
    private readonly List<PendingCall> _hanging = [];

    /// <summary>Whether calls may also take effect twice or late, and hang. Whoever sets it asks for the list at the end.</summary>
    public bool Unruly { get; init; }

    /// <summary>Whether it has a list. Without one, what is under way when the scaler ends happens at once or never.</summary>
    public bool Lists { get; init; } = true;

    /// <summary>For the test of the tests: says that it has destroyed a slot, and has not.</summary>
    public bool KeepsDestroyed { get; init; }

    /// <summary>Every creation and destruction is refused for now.</summary>
    public bool Storm { get; set; }

    /// <summary>The function that each instance was made for, whether or not it still exists.</summary>
    public Dictionary<InstanceId, MetaKey> Instances { get; } = [];

    /// <summary>Instances that have ended by themselves.</summary>
    public HashSet<InstanceId> Lost { get; } = [];

    /// <summary>Calls that wait for their answer, or whose effect is still to come.</summary>
    public int PendingCount => _pending.Count;

    /// <summary>What exists.</summary>
    public abstract IReadOnlyCollection<string> Left { get; }

    /// <summary>What a scaler on it has to keep to.</summary>
    public virtual BackendLimits Limits { get; } = new();

    protected Dice Dice => dice;

    protected SoakLog Log => log;

    /// <summary>The backend of a process that begins.</summary>
    public abstract ISlotBackend Begin();

    /// <summary>Whether an instance exists.</summary>
    public abstract bool IsThere(InstanceId instance);

    /// <summary>An instance ends by itself.</summary>
    public abstract void LoseOne();

    /// <summary>Answers one of the calls, not always the oldest.</summary>
    /// <param name="well">Only good answers, as when the platform has recovered.</param>
    public void AnswerOne(bool well)
    {
        var call = Dice.Pick(_pending);
        _pending.Remove(call);
        var fate = well ? 0 : Dice.Next(100);
        Log.Add($"{call.Name} -> {fate}");
        if (!well && Storm && call.MayStorm)
        {
            Log.Count(SoakFault.Throttled);
            call.Answer(false, Failing(SoakFault.Storm));
            return;
        }

        switch (fate)
        {
            case < 66:
            case < 72 when !Unruly:
                call.Answer(true, null);
                break;
            case < 68:
                Log.Count(SoakFault.Twice);
                call.Answer(true, null);
                _pending.Add(call with { Answer = call.Unheard() });
                break;
            case < 70:
                Fail(SoakFault.Late);
                _pending.Add(call with { Answer = call.Unheard() });
                break;
            case < 72:
                Log.Count(SoakFault.Hangs);
                _hanging.Add(call);
                break;
            case < 80:
                Fail(SoakFault.CallFails);
                break;
            case < 84:
                Fail(SoakFault.Throttled);
                break;
            case < 86:
                Fail(SoakFault.Refused);
                break;
            case < 90:
                Fail(SoakFault.AnswerLost, takesEffect: true);
                break;
            case < 95:
                Fail(SoakFault.Unforeseen, takesEffect: true);
                break;
            default:
                Fail(SoakFault.GivenUp);
                break;
        }

        void Fail(SoakFault fault, bool takesEffect = false)
        {
            Log.Count(fault);
            call.Answer(takesEffect, Failing(fault));
        }
    }

    /// <summary>The platform works again: what hung is answered with the other calls.</summary>
    public virtual void Recover()
    {
        Storm = false;
        _pending.AddRange(_hanging);
        _hanging.Clear();
    }

    /// <summary>The scaler's process has ended: nobody hears the answers any more. Of the calls under way some have not left yet, others still take effect.</summary>
    public virtual void CallerEnded()
    {
        _pending.AddRange(_hanging);
        _hanging.Clear();
        for (var i = _pending.Count - 1; i >= 0; i--)
        {
            var comes = Dice.Percent(50);
            if (!Lists && comes)
            {
                _pending[i].Unheard()(true, null);
            }

            if (!Lists || !comes)
            {
                _pending.RemoveAt(i);
            }
            else
            {
                _pending[i] = _pending[i] with { Name = $"former {_pending[i].Name}", Answer = _pending[i].Unheard() };
            }
        }
    }

    /// <summary>How a call fails.</summary>
    protected abstract Exception Failing(SoakFault fault);

    /// <summary>A call: nothing happens until the world answers it.</summary>
    /// <param name="name">For the log.</param>
    /// <param name="mayStorm">Whether a storm throttles it.</param>
    /// <param name="effect">What it does, and what is answered; told whether anybody still waits for that.</param>
    /// <param name="cancellationToken">Gives it up: it may take effect all the same.</param>
    protected Task<T> Wait<T>(string name, bool mayStorm, Func<bool, T> effect, CancellationToken cancellationToken)
    {
        // Continuations run where the answer is given, so that the seed alone decides the order.
        var completion = new TaskCompletionSource<T>();
        cancellationToken.UnsafeRegister(_ => completion.TrySetCanceled(cancellationToken), null);
        _pending.Add(new PendingCall(name, mayStorm, () => effect(false), (takesEffect, failure) =>
        {
            try
            {
                var result = takesEffect ? effect(!completion.Task.IsCompleted) : default;
                if (failure is null)
                {
                    completion.TrySetResult(result!);
                }
                else
                {
                    completion.TrySetException(failure);
                }
            }
            catch (Exception e) when (e is SlotBackendException or HttpRequestException)
            {
                completion.TrySetException(e);
            }
        }));
        return completion.Task;
    }

    protected void Made(InstanceId instance, MetaKey function) =>
        SoakException.Unless(Instances.TryAdd(instance, function) || Instances[instance] == function, $"{instance} was made for two functions");

    private sealed record PendingCall(string Name, bool MayStorm, Action Effect, Action<bool, Exception?> Answer)
    {
        /// <summary>Its effect, if it has one, without an answer.</summary>
        public Action<bool, Exception?> Unheard() => (takesEffect, _) =>
        {
            try
            {
                if (takesEffect)
                {
                    Effect();
                }
            }
            catch (Exception e) when (e is SlotBackendException or HttpRequestException)
            {
                // Nobody hears it.
            }
        };
    }
}
