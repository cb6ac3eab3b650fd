using System.Diagnostics;
using System.Globalization;
using FuncScaler.Policies;

namespace FuncScaler.Benchmarks;

/// <summary>
/// How long any other function's Assign or Release can take while many requests of one function wait. One thread does all events in turn, as
/// a host does under its lock, so the longest event of the long queue is what others wait for. The same events are played three times and each
/// counts with its shortest time, because other programs take the processor away now and then.
/// </summary>
internal static class LongQueue
{
    private const int Times = 3;
    private const long CreateUs = 100_000;
    private const long InitUs = 400_000;
    private const long ExecutionUs = 500_000;

    private static readonly int[] Lengths = [1, 10, 100, 1000, 10_000, 100_000];

    public static void Print(string[] policies)
    {
        Console.WriteLine("| policy | waiting | longest event ms | events in all s | events |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach (var policy in policies)
        {
            // The compiler's share is paid first.
            Run(policy, 1000);
            foreach (var length in Lengths)
            {
                var took = Run(policy, length);
                for (var again = 1; again < Times; again++)
                {
                    took = [.. took.Zip(Run(policy, length), Math.Min)];
                }

                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"| `{policy}` | {length} | {took.Max() * 1e3 / Stopwatch.Frequency:F2} | {(double)took.Sum() / Stopwatch.Frequency:F2} | {took.Count} |"));
            }
        }
    }

    /// <summary>What each event took, in ticks of the stopwatch.</summary>
    private static List<long> Run(string policy, int length)
    {
        var times = new List<long>();
        var core = new ScalerCore(PolicyCatalog.Parse(policy), new SlotPoolOptions { MaxSlots = Math.Max(1, length / 10) });
        var queued = new FunctionMeta(new MetaKey("queued"), "go", 60, 128);
        var effects = new List<Effect>();
        var due = new PriorityQueue<Effect, (long AtUs, int Order)>();
        long nowUs = 0;
        var order = 0;

        for (var i = 0; i < length; i++)
        {
            nowUs += 10;
            Event(() => core.Assign(nowUs, queued, new RequestId($"r{i}"), long.MaxValue, effects));
        }

        while (due.TryPeek(out _, out var next) && next.AtUs < 3_600_000_000)
        {
            var wakeUs = core.NextWakeUs;
            nowUs = Math.Max(nowUs, Math.Min(next.AtUs, wakeUs));
            if (wakeUs < next.AtUs)
            {
                Event(() => core.Tick(nowUs, effects));
                continue;
            }

            var done = due.Dequeue();
            Event(() => Answer(core, nowUs, done, effects));
        }

        return times;

        void Event(Action happens)
        {
            var began = Stopwatch.GetTimestamp();
            happens();
            times.Add(Stopwatch.GetTimestamp() - began);
            foreach (var effect in effects)
            {
                long? afterUs = effect.Kind switch
                {
                    EffectKind.CreateSlot => CreateUs,
                    EffectKind.InitSlot => InitUs,
                    EffectKind.Grant => ExecutionUs,
                    EffectKind.DestroySlot => 0,
                    _ => null,
                };
                if (afterUs is { } us)
                {
                    due.Enqueue(effect, (nowUs + us, ++order));
                }
            }

            effects.Clear();
        }
    }

    private static void Answer(ScalerCore core, long nowUs, in Effect done, List<Effect> effects)
    {
        var function = done.Function.Key;
        switch (done.Kind)
        {
            case EffectKind.CreateSlot:
                core.SlotCreated(nowUs, function, done.Ticket, new BackendSlotId($"s{done.Ticket}"), effects);
                break;
            case EffectKind.InitSlot:
                core.SlotReady(nowUs, function, done.Ticket, effects);
                break;
            case EffectKind.DestroySlot:
                core.SlotDestroyed(nowUs, function, done.Ticket, effects);
                break;
            default:
                core.Release(nowUs, function, done.Request, done.Instance, new ReleaseResult(ExecutionUs, false), effects);
                break;
        }
    }
}
