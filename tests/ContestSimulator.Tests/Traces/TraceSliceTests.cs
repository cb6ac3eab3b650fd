using FsCheck;
using FsCheck.Fluent;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Traces.Presets;

namespace FuncScaler.Tests.Traces;

public sealed class TraceSliceTests
{
    private static readonly Gen<ListTrace> AnyTrace =
        from gapsMs in Gen.NonEmptyListOf(Gen.Choose(0, 1000))
        from beginMs in Gen.Elements(0L, 1_685_980_824_304L)
        select TraceGenerators.FromSteps(ListTrace.At(1).Functions, gapsMs.Select(g => (0, g, 1, 200)), beginMs);

    // Cuts at whole ms hit starts of requests often; others fall between.
    private static readonly Gen<double> AnyCut = Gen.Choose(0, 40_000).Select(half => half / 2000.0);

    [Fact]
    public void A_slice_from_zero_without_a_length_is_the_whole()
    {
        Prop.ForAll(AnyTrace.ToArbitrary(), trace => trace.Requests.SequenceEqual(new TraceSlice(trace, 0).ReadRequests()))
            .QuickCheckThrowOnFailure();
    }

    [Fact]
    public void The_parts_before_and_after_a_cut_are_the_whole()
    {
        Prop.ForAll(AnyTrace.ToArbitrary(), AnyCut.Where(c => c > 0).ToArbitrary(), (trace, cut) =>
            trace.Requests.SequenceEqual(
                new TraceSlice(trace, 0, cut).ReadRequests().Concat(new TraceSlice(trace, cut).ReadRequests())))
            .QuickCheckThrowOnFailure();
    }

    [Fact]
    public void A_slice_has_exactly_the_requests_whose_offset_is_in_it()
    {
        Prop.ForAll(AnyTrace.ToArbitrary(), Gen.Choose(0, 20_000).ToArbitrary(), Gen.Choose(1, 20_000).ToArbitrary(), (trace, fromMs, lengthMs) =>
        {
            var firstUs = trace.Requests[0].StartUs;
            var expected = trace.Requests.Where(r => (r.StartUs - firstUs) / 1000 is var ms && ms >= fromMs && ms < fromMs + lengthMs);
            return expected.SequenceEqual(new TraceSlice(trace, fromMs / 1000.0, lengthMs / 1000.0).ReadRequests());
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Functions_stay_and_the_name_tells_the_cut()
    {
        var trace = ListTrace.At(1, 0, 1, 2);
        var slice = new TraceSlice(trace, 600, 0.5);

        Assert.Same(trace.Functions, slice.Functions);
        Assert.Equal("list@600s+0.5s", slice.Name);
        Assert.Empty(slice.ReadRequests());
    }

    [Fact]
    public void Reading_stops_at_the_end_of_the_slice()
    {
        // A hundred years of trace: reading on would take for ever.
        var slice = new TraceSlice(PresetCatalog.Create("dense", 1, PresetCatalog.LongestSeconds), 10, 10);

        Assert.NotEmpty(slice.ReadRequests());
    }

    [Theory]
    [InlineData(-1, 1.0)]
    [InlineData(double.NaN, 1.0)]
    [InlineData(double.PositiveInfinity, 1.0)]
    [InlineData(0, 0.0)]
    [InlineData(0, -1.0)]
    [InlineData(0, double.NaN)]
    public void Cuts_that_mean_nothing_are_refused(double from, double length)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new TraceSlice(ListTrace.At(1, 1), from, length));
    }
}
