using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using FuncScaler.Leasing.Ledger;

namespace FuncScaler.Tests.Leasing.Simulation;

/// <summary>
/// Callers, workers, a ledger, a backend and the network between them, with everything going wrong that the schedule asks for. True time
/// is known here alone; workers and the ledger's hosts have clocks of their own. The same seed always goes the same way.
/// </summary>
internal sealed partial class LeasingWorld
{
    private const long StartUs = 1_000_000_000_000;

    private readonly Schedule _schedule;
    private readonly LeftOutRule _rules;
    private readonly Dice _dice;
    private readonly List<string>? _trace;
    private readonly HashSet<string>? _seen;
    private readonly PriorityQueue<Action, (long AtUs, long Order)> _calendar = new();
    private readonly List<Worker> _workers = [];
    private long _nowUs = StartUs;
    private long _order;
    private bool _fair;

    /// <param name="schedule">What to play.</param>
    /// <param name="trace">Whether to write down what happens.</param>
    /// <param name="seen">Where to note what kinds of things have happened; null for nowhere.</param>
    public LeasingWorld(Schedule schedule, bool trace = false, HashSet<string>? seen = null)
    {
        _seen = seen;
        _schedule = schedule;
        _rules = schedule.LeftOut ?? LeftOutRule.None;
        _dice = new Dice(schedule.Seed ^ 0x5DEECE66D);
        _trace = trace ? [] : null;
        _ledger = new PoolLedger(new LedgerState(), schedule.Policy, schedule.Options, schedule.Limits);
    }

    public IReadOnlyList<string> Trace => _trace ?? [];

    /// <summary>Plays the schedule; throws when a rule is broken.</summary>
    public LeasingWorld Run()
    {
        for (var i = 0; i < _schedule.Workers; i++)
        {
            StartWorker();
        }

        for (var i = 0; i < _schedule.Requests; i++)
        {
            At(StartUs + _dice.Between(0, _schedule.LengthUs), Arrive);
        }

        for (var i = 0; i < _schedule.Crashes; i++)
        {
            At(StartUs + _dice.Between(0, _schedule.LengthUs + Schedule.Second), Crash);
        }

        for (var i = 0; i < _schedule.Leaves; i++)
        {
            At(StartUs + _dice.Between(0, _schedule.LengthUs), LeaveEarly);
        }

        for (var i = 0; i < _schedule.Partitions; i++)
        {
            At(StartUs + _dice.Between(0, _schedule.LengthUs * 2 / 3), Partition);
        }

        if (_schedule.Provisioned > 0)
        {
            At(StartUs + _dice.Between(0, Schedule.Second), () => Ledger("provision", (l, now, e) =>
                l.SetProvisioned(now, Schedule.Function, _schedule.Provisioned, e)));
        }

        At(StartUs + SweepUs, SweepRegularly);
        RunUntil(StartUs + _schedule.LengthUs + Schedule.Second);

        // From here on the network and the backend are fair, and everything must come to an end.
        _fair = true;
        Note($"from here on all is fair");
        RunUntil(_nowUs + _longestWaitUs + (2 * _schedule.Options.HoldUs(Schedule.Function)));
        CheckAnswers();
        Stop();
        RunUntil(_nowUs + BoundUs + (4 * SweepUs));
        WaitForQuiet();
        CheckNothingIsLost();
        return this;
    }

    private void At(long atUs, Action action) => _calendar.Enqueue(action, (Math.Max(atUs, _nowUs), _order++));

    private void After(long us, Action action) => At(_nowUs + us, action);

    private void RunUntil(long untilUs)
    {
        for (var events = 0; _calendar.TryPeek(out var action, out var due) && due.AtUs <= untilUs; events++)
        {
            Require(events < 100_000, "time stands still");
            _calendar.Dequeue();
            _nowUs = due.AtUs;
            action();
        }

        _nowUs = untilUs;
    }

    /// <summary>A line of the trace, put together only where there is a trace.</summary>
    [InterpolatedStringHandler]
    private readonly ref struct TraceLine
    {
        private readonly StringBuilder? _text;

        public TraceLine(int literalLength, int formattedCount, LeasingWorld world, out bool enabled)
        {
            enabled = world._trace is not null;
            _text = enabled ? new StringBuilder(literalLength + (formattedCount * 8)) : null;
        }

        public void AppendLiteral(string text) => _text!.Append(text);

        public void AppendFormatted<T>(T value) => _text!.Append(CultureInfo.InvariantCulture, $"{value}");

        public override string ToString() => _text?.ToString() ?? "";
    }

    private void Note([InterpolatedStringHandlerArgument("")] ref TraceLine line)
    {
        if (_trace is not null)
        {
            _trace.Add(FormattableString.Invariant($"{(_nowUs - StartUs) / 1e6:0.000000} {line.ToString()}"));
        }
    }

    private void Require(bool condition, string otherwise)
    {
        if (!condition)
        {
            throw new ProtocolViolationException(otherwise);
        }
    }
}

/// <summary>A promise of the protocol was broken.</summary>
internal sealed class ProtocolViolationException(string message) : Exception(message);
