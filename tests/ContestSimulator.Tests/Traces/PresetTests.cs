using FsCheck;
using FsCheck.Fluent;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Traces.Presets;

namespace FuncScaler.Tests.Traces;

public sealed class PresetTests
{
    private static readonly Gen<(string Name, long Seed)> AnyPreset =
        from name in Gen.Elements<string>([.. PresetCatalog.Names])
        from seed in Gen.OneOf(Gen.Choose(0, 1000).Select(s => (long)s), Gen.Elements(long.MinValue, -1L, long.MaxValue))
        select (name, seed);

    public static TheoryData<string> Names => [.. PresetCatalog.Names];

    [Fact]
    public void The_same_name_and_seed_give_the_same_trace()
    {
        Prop.ForAll(AnyPreset.ToArbitrary(), preset =>
        {
            var one = PresetCatalog.Create(preset.Name, preset.Seed, 100);
            var other = PresetCatalog.Create(preset.Name, preset.Seed, 100);
            return one.Functions.SequenceEqual(other.Functions) && one.ReadRequests().SequenceEqual(other.ReadRequests());
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(20));
    }

    [Theory]
    [InlineData("sparse", 6_000, -1_674_975_187_783_232_580)]
    [InlineData("dense", 200, -8_911_995_086_011_780_814)]
    [InlineData("faas", 30, -5_692_287_972_584_152_636)]
    [InlineData("smoke", 100, -6_020_189_606_722_004_698)]
    [InlineData("workflows", 600, -6_564_458_772_359_869_427)]
    public void A_seed_means_the_same_trace_for_good(string name, double length, long expected)
    {
        var trace = PresetCatalog.Create(name, 1, length);
        var hash = trace.Functions.Aggregate(17L, (h, f) => unchecked((h * 31) + f.InitDurationUs + f.Meta.MemoryMb + f.Meta.Key.Value[^1]));
        hash = trace.ReadRequests().Aggregate(
            hash, (h, r) => unchecked((((((h * 1_000_003) + r.Function) * 1_000_003) + r.StartUs) * 1_000_003) + r.DurationUs + r.StatusCode));

        Assert.Equal(expected, hash);
    }

    [Fact]
    public void A_longer_trace_begins_with_the_shorter_one()
    {
        Prop.ForAll(AnyPreset.ToArbitrary(), Gen.Choose(1, 130).ToArbitrary(), (preset, length) =>
        {
            var whole = PresetCatalog.Create(preset.Name, preset.Seed, 130);
            var begin = PresetCatalog.Create(preset.Name, preset.Seed, length);
            var endUs = (PresetTrace.BeginMs + (length * 1000L)) * 1000;
            return whole.Functions.SequenceEqual(begin.Functions)
                && whole.ReadRequests().TakeWhile(r => r.StartUs < endUs).SequenceEqual(begin.ReadRequests());
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(20));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Requests_are_in_order_in_range_and_in_whole_milliseconds(string name)
    {
        var seconds = TestLength.Count(1000, 5000);
        var trace = PresetCatalog.Create(name, 5, seconds);
        var previousUs = PresetTrace.BeginMs * 1000;
        foreach (var request in trace.ReadRequests())
        {
            Assert.True(request.StartUs >= previousUs && request.StartUs < (PresetTrace.BeginMs + (seconds * 1000)) * 1000);
            Assert.True(request.StartUs % 1000 == 0 && request.DurationUs % 1000 == 0 && request.DurationUs is >= 0 and < 1_000_000_000);
            Assert.InRange(request.Function, 0, trace.Functions.Count - 1);
            previousUs = request.StartUs;
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Other_seeds_give_other_functions_and_other_times(string name)
    {
        var one = PresetCatalog.Create(name, 1, 500);
        var other = PresetCatalog.Create(name, 2, 500);

        // One limits file is to fit all seeds of the workflows.
        Assert.True(name == "workflows" || !one.Functions.Select(f => f.Meta.Key).Intersect(other.Functions.Select(f => f.Meta.Key)).Any());
        var starts = one.ReadRequests().Select(r => r.StartUs).ToArray();
        var common = starts.Intersect(other.ReadRequests().Select(r => r.StartUs)).Count();
        Assert.True(common < starts.Length * 0.9, $"{common} of {starts.Length} starts are the same.");
    }

    [Theory]
    [InlineData("sparse")]
    [InlineData("dense")]
    [InlineData("faas")]
    [InlineData("smoke")]
    public void A_long_edition_has_the_same_arrivals_in_the_opposite_cost_regime(string name)
    {
        var seconds = TestLength.Count(600, 3000);
        var normal = PresetCatalog.Create(name, 4, seconds);
        var slow = PresetCatalog.Create(name + "-long", 4, seconds);

        Assert.Equal(
            normal.ReadRequests().Select(r => (r.Function, r.StartUs, r.StatusCode)),
            slow.ReadRequests().Select(r => (r.Function, r.StartUs, r.StatusCode)));
        Assert.Equal(normal.Functions.Select(f => f.Meta.Key), slow.Functions.Select(f => f.Meta.Key));
        Assert.All(slow.Functions, f => Assert.InRange(f.InitDurationUs, 15_000_000, 29_000_000));
        var meanSeconds = slow.ReadRequests().Average(r => r.DurationUs / 1e6);
        Assert.InRange(meanSeconds, 1.5, 7);
        Assert.True(meanSeconds > normal.ReadRequests().Average(r => r.DurationUs / 1e6) + 1);
    }

    [Fact]
    public void Functions_of_a_workflow_follow_each_other()
    {
        var trace = PresetCatalog.Create("workflows", 3, 3600);
        var calls = trace.ReadRequests().GroupBy(r => trace.Functions[r.Function].Meta.Key.Value).ToDictionary(g => g.Key, g => g.Count());

        // The second workflow calls two at a time and then one; of the last run some may be beyond the end.
        Assert.InRange(calls["w02-each"], (2 * calls["w02-first"]) - 8, 2 * calls["w02-first"]);
        Assert.InRange(calls["w02-last"], calls["w02-first"] - 8, calls["w02-first"]);
        Assert.False(calls.ContainsKey("w01-last"));
    }

    [Fact]
    public void An_unknown_name_is_answered_with_the_known_ones()
    {
        var error = Assert.Throws<ArgumentException>(() => PresetCatalog.Create("sparse-long-long"));

        Assert.All(PresetCatalog.Names, name => Assert.Contains(name, error.Message, StringComparison.Ordinal));
        Assert.Throws<ArgumentException>(() => PresetCatalog.DefaultLengthSeconds("dataSet_1"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    [InlineData(1e12)]
    public void A_length_out_of_range_is_refused(double length) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => PresetCatalog.Create("dense", 1, length));

    [Fact]
    public void The_default_lengths_are_the_data_sets_spans()
    {
        Assert.Equal([550_770, 561_570, 4088, 11.25], PresetCatalog.Names.Take(4).Select(PresetCatalog.DefaultLengthSeconds));
        Assert.All(PresetCatalog.Names.Take(4), name => Assert.Equal(PresetCatalog.DefaultLengthSeconds(name), PresetCatalog.DefaultLengthSeconds(name + "-long")));
    }

    [DataFact]
    public void No_key_of_the_real_traces_is_generated()
    {
        var real = Directory.GetDirectories(SharedData.PathOf("contest"))
            .SelectMany(folder => ContestTrace.Open(folder).Functions)
            .Select(f => f.Meta.Key)
            .ToHashSet();

        Assert.All(PresetCatalog.Names.SelectMany(name => PresetCatalog.Create(name).Functions), f => Assert.DoesNotContain(f.Meta.Key, real));
    }
}
