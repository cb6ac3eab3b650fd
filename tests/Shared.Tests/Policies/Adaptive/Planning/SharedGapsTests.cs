using FuncScaler.Policies.Adaptive.Planning;
using FuncScaler.Statistics;

namespace FuncScaler.Tests.Policies.Adaptive.Planning;

public class SharedGapsTests
{
    private const long Second = 1_000_000;
    private static readonly int Minute = LogHistogram.BinOf(60 * Second);

    [Theory]
    [InlineData("java", 256, 60)]
    [InlineData("java", 300, 60)]
    [InlineData("go", 256, 2)]
    [InlineData("java", 4096, null)]
    [InlineData("python", 256, null)]
    public void A_function_borrows_from_those_of_its_runtime_and_memory_else_from_all(string runtime, int memoryMb, int? seconds)
    {
        var gaps = new SharedGaps();
        Come(gaps, Function("java", 256), 60, 30);
        Come(gaps, Function("go", 256), 2, 30);

        var borrowed = gaps.PriorOf(gaps.SimilarTo(Function(runtime, memoryMb)), 0, memoryMb)!;

        foreach (var gap in new[] { 2, 60 })
        {
            Assert.Equal(seconds is null ? 0.5 : seconds == gap ? 1 : 0, borrowed.Share(LogHistogram.BinOf(gap * Second)), 6);
        }
    }

    [Fact]
    public void Too_few_gaps_tell_nothing()
    {
        var gaps = new SharedGaps();
        Come(gaps, Function("java", 256), 60, 19);
        Assert.Null(gaps.PriorOf(gaps.SimilarTo(Function("java", 256)), 0, 256));

        Come(gaps, Function("go", 1024), 60, 1);
        Assert.Equal(20, gaps.PriorOf(gaps.SimilarTo(Function("java", 256)), 0, 256)!.Count);
    }

    [Fact]
    public void A_gap_that_goes_on_is_told_too()
    {
        var gaps = new SharedGaps();
        var function = Function("java", 256);
        Come(gaps, function, 60, 20);
        for (var i = 0; i < 20; i++)
        {
            gaps.Reached(gaps.SimilarTo(function), 0, 256, 0, Minute + 4);
        }

        Assert.Equal(0.5, gaps.PriorOf(gaps.SimilarTo(function), 0, 256)!.Hazard(Minute), 6);
    }

    /// <summary>Twenty functions that came once and were silent for a minute: none of them came back before.</summary>
    [Fact]
    public void Gaps_of_which_none_has_ended_tell_something()
    {
        var gaps = new SharedGaps();
        var function = Function("java", 256);
        var similar = gaps.SimilarTo(function);
        for (var i = 0; i < 20; i++)
        {
            Assert.Null(gaps.PriorOf(similar, 0, 256));
            gaps.Reached(similar, 0, 256, 0, Minute);
        }

        var prior = gaps.PriorOf(similar, 0, 256)!;
        Assert.Equal(20, prior.ReachedOf(Minute - 1));
        Assert.Equal(0, prior.Hazard(Minute - 1));
    }

    private static void Come(SharedGaps gaps, FunctionMeta function, int seconds, int times)
    {
        for (var i = 0; i < times; i++)
        {
            gaps.Ended(gaps.SimilarTo(function), 0, function.MemoryMb, seconds * Second, 0);
        }
    }

    private static FunctionMeta Function(string runtime, int memoryMb) => new(new MetaKey("f"), runtime, 60, memoryMb);
}
