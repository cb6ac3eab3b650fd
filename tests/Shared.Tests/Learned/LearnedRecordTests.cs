using FsCheck.Fluent;
using FuncScaler.Learned;
using FuncScaler.Policies;

namespace FuncScaler.Tests.Learned;

/// <summary>What was learned, written and read again: nothing of it is lost, and nothing that is damaged is believed.</summary>
public class LearnedRecordTests
{
    private static readonly FunctionMeta F = new(new MetaKey("f"), "go", 60, 512);

    [Fact]
    public void A_pool_that_reads_what_another_wrote_writes_the_same() => Properties.Check(Gen.Choose(0, 1_000_000).ToArbitrary(), seed =>
    {
        var (core, nowUs) = Taught(seed);
        var memory = new Memory { [F.Key] = core.Find(F.Key)!.WriteLearned(nowUs), [new MetaKey("")] = core.WriteShared(nowUs)! };
        memory.WrittenUs = nowUs;

        var again = new ScalerCore(PolicyCatalog.Parse("adaptive"), new SlotPoolOptions(), new ScalerCoreState { Learned = memory });
        again.Restore(nowUs, F, [], []);

        Assert.Empty(memory.Why);
        Assert.Equal(core.Find(F.Key)!.Statistics.Arrivals, again.Find(F.Key)!.Statistics.Arrivals);
        Assert.Equal(core.Find(F.Key)!.Statistics.ColdStartUs, again.Find(F.Key)!.Statistics.ColdStartUs, 1.0);
        AssertSame(memory[F.Key], again.Find(F.Key)!.WriteLearned(nowUs));
        AssertSame(memory[new MetaKey("")], again.WriteShared(nowUs)!);
    }, tests: Properties.Often(15));

    [Fact]
    public void What_is_written_of_one_function_is_bounded_however_many_requests_it_has()
    {
        var core = new ScalerCore(PolicyCatalog.Parse("adaptive"), new SlotPoolOptions());
        var world = new Driver(core);
        for (var round = 0; round < TestLength.Count(3, 4); round++)
        {
            // More at a time each round, at odd times: many ranks with gaps of all lengths.
            world.Burst(F, 300 * (round + 1), durationUs: 10_000 + (777 * round));
            world.Pass(1_000_000L << (4 * round));
        }

        Assert.InRange(core.Find(F.Key)!.WriteLearned(world.NowUs).Length, 1000, LearnedRecord.MostFunctionBytes);
    }

    [Fact]
    public void Any_flipped_byte_is_found_out_and_the_function_begins_anew()
    {
        var (core, nowUs) = Taught(1);
        var record = core.Find(F.Key)!.WriteLearned(nowUs);
        for (var at = 0; at < record.Length; at++)
        {
            foreach (var flip in (int[])[1, 0x80, 0xFF])
            {
                var damaged = (byte[])record.Clone();
                damaged[at] ^= (byte)flip;

                Assert.Null(LearnedRecord.Open(damaged, nowUs, out var whyNot));
                Assert.NotNull(whyNot);
            }
        }
    }

    [Fact]
    public void A_truncated_foreign_or_newer_record_is_ignored_and_said() => Properties.Check(Gen.Choose(0, 1_000_000).ToArbitrary(), seed =>
    {
        var (core, nowUs) = Taught(seed);
        var record = core.Find(F.Key)!.WriteLearned(nowUs);
        var newer = (byte[])record.Clone();
        newer[2] = LearnedRecord.Version + 1;
        foreach (var bytes in (byte[][])[record[..(seed % record.Length)], [], "no such thing at all"u8.ToArray(), newer])
        {
            var memory = new Memory { [F.Key] = bytes };
            var again = new ScalerCore(PolicyCatalog.Parse("adaptive"), new SlotPoolOptions(), new ScalerCoreState { Learned = memory });

            again.Restore(nowUs, F, [], []);

            Assert.Single(memory.Why);
            Assert.Equal(0, again.Find(F.Key)?.Statistics.Arrivals ?? 0);
        }
    }, tests: Properties.Often(15));

    /// <summary>Whoever can write the file can write a right checksum too: then what is read is nonsense, and still nothing breaks.</summary>
    [Fact]
    public void Nonsense_with_a_right_checksum_breaks_nothing() => Properties.Check(Gen.Choose(0, 1_000_000).ToArbitrary(), seed =>
    {
        var chance = new Random(seed);
        var (core, nowUs) = Taught(seed);
        var parts = core.Find(F.Key)!.WriteLearned(nowUs)[7..];
        for (var i = 0; i <= seed % 8; i++)
        {
            parts[chance.Next(parts.Length)] = (byte)chance.Next(256);
        }

        var writer = new LearnedWriter(nowUs);
        foreach (var part in parts)
        {
            writer.Byte(part);
        }

        var memory = new Memory { [F.Key] = LearnedRecord.Seal(writer) };
        memory.WrittenUs = nowUs;
        var again = new ScalerCore(PolicyCatalog.Parse("adaptive"), new SlotPoolOptions(), new ScalerCoreState { Learned = memory });
        var world = new Driver(again) { NowUs = nowUs };
        world.Burst(F, 5, durationUs: 10_000);
        world.Pass(5_000_000);
        world.Burst(F, 3, durationUs: 10_000);
        again.CheckInvariants();
    }, tests: Properties.Often(100));

    [Fact]
    public void A_policy_reads_nothing_that_another_one_has_written()
    {
        var (core, nowUs) = Taught(2);
        var memory = new Memory { [F.Key] = core.Find(F.Key)!.WriteLearned(nowUs) };
        var other = new ScalerCore(PolicyCatalog.Parse("ttl:60"), new SlotPoolOptions(), new ScalerCoreState { Learned = memory });

        other.Restore(nowUs, F, [], []);

        Assert.Empty(memory.Why);
        Assert.Equal(core.Find(F.Key)!.Statistics.Arrivals, other.Find(F.Key)!.Statistics.Arrivals);
    }

    /// <summary>A record of version 1 is read: what it lacks is as in a new function.</summary>
    [Fact]
    public void A_record_of_the_first_version_is_read()
    {
        var writer = new LearnedWriter(0);
        writer.Part("statistics", 1000, to => new FuncScaler.Statistics.FunctionStatistics().WriteLearned(to));
        var record = LearnedRecord.Seal(writer);
        record[2] = 1;
        var crc = new System.IO.Hashing.Crc32();
        crc.Append(record.AsSpan(2, 1));
        crc.Append(record.AsSpan(7));
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(3), crc.GetCurrentHashAsUInt32());

        Assert.Equal(1, LearnedRecord.Open(record, 0, out _)!.Version);
        var memory = new Memory { [F.Key] = record };
        new ScalerCore(PolicyCatalog.Parse("adaptive"), new SlotPoolOptions(), new ScalerCoreState { Learned = memory }).Restore(0, F, [], []);
        Assert.Empty(memory.Why);
    }

    [Fact]
    public void The_search_of_a_price_for_a_function_s_own_time_goes_on_after_a_restart_unless_the_time_is_another()
    {
        var limits = new FunctionLimits { Slo = TimeSpan.FromMilliseconds(100) };
        var (core, nowUs) = Taught(3, core => core.SetLimits(0, F.Key, limits, null, []));
        var before = core.Find(F.Key)!.Explain(nowUs)!.Price;
        var memory = new Memory { [F.Key] = core.Find(F.Key)!.WriteLearned(nowUs) };
        memory.WrittenUs = nowUs;
        Assert.InRange(before.Objective!.LateShare!.Value, 0.1, 0.9);

        var (after, other, former) = (Again(limits), Again(new FunctionLimits { Slo = TimeSpan.FromSeconds(1) }), Again(null));

        Assert.Empty(memory.Why);
        Assert.Equal((before.GbsPerSecond, 100.0), (after.GbsPerSecond, after.Objective!.WithinMs));
        Assert.Equal(before.Objective.LateShare!.Value, after.Objective.LateShare!.Value, 1e-6);
        Assert.Equal((1000.0, null), (other.Objective!.WithinMs, other.Objective.LateShare));
        Assert.Null(former.Objective);

        PriceExplanation Again(FunctionLimits? told)
        {
            var again = new ScalerCore(PolicyCatalog.Parse("adaptive"), new SlotPoolOptions(), new ScalerCoreState { Learned = memory });
            again.SetLimits(nowUs, F.Key, told, null, []);
            again.Restore(nowUs, F, [], []);
            return again.Find(F.Key)!.Explain(nowUs)!.Price;
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_was_learned_of_a_group_s_delay_is_known_after_a_restart(bool groupsFirst)
    {
        FunctionGroup[] groups = [new(new MetaKey("parent"), F.Key, 1), new(new MetaKey("other"), F.Key, 1)];
        var core = new ScalerCore(PolicyCatalog.Parse("adaptive"), new SlotPoolOptions());
        var world = new Driver(core) { NowUs = 1_000_000 };
        core.SetGroups(0, groups, []);
        for (var i = 0; i < 10; i++)
        {
            world.Burst(new FunctionMeta(groups[0].Parent, "go", 60, 512), 1, durationUs: 1000);
            world.Pass(4_999_000);
            world.Burst(F, 1, durationUs: 1000);
            world.Pass(60_000_000);
        }

        var memory = new Memory { [F.Key] = core.Find(F.Key)!.WriteLearned(world.NowUs) };
        memory.WrittenUs = world.NowUs;
        var again = new ScalerCore(PolicyCatalog.Parse("adaptive"), new SlotPoolOptions(), new ScalerCoreState { Learned = memory });
        if (groupsFirst)
        {
            again.SetGroups(world.NowUs, groups, []);
        }

        again.Restore(world.NowUs, F, [], []);
        if (!groupsFirst)
        {
            again.SetGroups(world.NowUs, groups, []);
        }

        Assert.Empty(memory.Why);
        Assert.Equal([5.0, null], again.Find(F.Key)!.Explain(world.NowUs)!.Groups!.Select(g => g.LearnedDelaySeconds));
        Assert.Equal(memory[F.Key].Length, again.Find(F.Key)!.WriteLearned(world.NowUs).Length);
    }

    /// <summary>Numbers are written to a few digits, so a byte here and there may round otherwise; the length may not change.</summary>
    private static void AssertSame(byte[] first, byte[] second)
    {
        Assert.Equal(first.Length, second.Length);
        Assert.InRange(first.Zip(second).Count(b => b.First != b.Second), 0, 4 + 2 + (first.Length / 50));
    }

    private static (ScalerCore Core, long NowUs) Taught(int seed, Action<ScalerCore>? first = null)
    {
        var chance = new Random(seed);
        var core = new ScalerCore(PolicyCatalog.Parse("adaptive"), new SlotPoolOptions());
        first?.Invoke(core);
        var world = new Driver(core) { NowUs = 1_000_000 };
        for (var i = 0; i < 25; i++)
        {
            world.Burst(F, 1 + chance.Next(6), durationUs: 1000 + chance.Next(500_000));
            world.Pass(chance.Next(60_000_000));
        }

        return (core, world.NowUs);
    }

    /// <summary>Requests, and a backend that takes 100 ms for a creation and 50 ms for an init.</summary>
    private sealed class Driver(ScalerCore core)
    {
        private readonly List<Effect> _effects = [];
        private readonly PriorityQueue<Action<long>, long> _due = new();
        private int _requests;

        public long NowUs { get; set; }

        public void Burst(FunctionMeta function, int requests, long durationUs)
        {
            for (var i = 0; i < requests; i++)
            {
                core.Assign(NowUs, function, new RequestId($"r{_requests++}"), long.MaxValue, _effects);
                Run(durationUs);
            }

            Pass(durationUs);
        }

        public void Pass(long us)
        {
            for (var untilUs = NowUs + us; NowUs < untilUs;)
            {
                var atUs = Math.Min(core.NextWakeUs, _due.TryPeek(out _, out var next) ? next : long.MaxValue);
                NowUs = Math.Max(NowUs, Math.Min(atUs, untilUs));
                while (_due.TryPeek(out var action, out var dueUs) && dueUs <= NowUs)
                {
                    _due.Dequeue();
                    action(NowUs);
                    Run(1000);
                }

                if (core.NextWakeUs <= NowUs)
                {
                    core.Tick(NowUs, _effects);
                    Run(1000);
                }
            }
        }

        private void Run(long durationUs)
        {
            foreach (var e in _effects.ToList())
            {
                switch (e.Kind)
                {
                    case EffectKind.CreateSlot:
                        _due.Enqueue(now => core.SlotCreated(now, e.Function.Key, e.Ticket, new BackendSlotId($"b{e.Ticket}"), _effects), NowUs + 100_000);
                        break;
                    case EffectKind.InitSlot:
                        _due.Enqueue(now => core.SlotReady(now, e.Function.Key, e.Ticket, _effects), NowUs + 50_000);
                        break;
                    case EffectKind.DestroySlot:
                        _due.Enqueue(now => core.SlotDestroyed(now, e.Function.Key, e.Ticket, _effects), NowUs + 10_000);
                        break;
                    case EffectKind.Grant:
                        _due.Enqueue(
                            now => core.Release(now, e.Function.Key, e.Request, e.Instance, new ReleaseResult(durationUs, false), _effects), NowUs + durationUs);
                        break;
                    case EffectKind.Reject:
                    default:
                        break;
                }
            }

            _effects.Clear();
        }
    }

    private sealed class Memory : Dictionary<MetaKey, byte[]>, ILearnedMemory
    {
        public long WrittenUs { get; set; }

        public List<string> Why { get; } = [];

        public LearnedBytes? Shared => Find(new MetaKey(""));

        public LearnedBytes? Find(MetaKey function) => TryGetValue(function, out var bytes) ? new LearnedBytes(bytes, WrittenUs) : null;

        public void Keep(MetaKey function, LearnedBytes learned) => this[function] = learned.Record.ToArray();

        public void Ignored(MetaKey function, string why) => Why.Add(why);
    }
}
