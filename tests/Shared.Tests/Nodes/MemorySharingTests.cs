using FuncScaler.Nodes;

namespace FuncScaler.Tests.Nodes;

/// <summary>How many requests share a container.</summary>
public class MemorySharingTests
{
    private static readonly FunctionMeta Function = new(new MetaKey("f"), "", 60, 1024);

    [Fact]
    public void It_is_doubled_while_memory_allows_and_executions_last_no_longer()
    {
        var sharing = new MemorySharing();
        Assert.Equal(1, sharing.Of(Function).MaxConcurrency);

        Execute(sharing, 1000, _ => 200_000, memoryMb: 100);

        // 1024 MB hold 8 of 100 MB, and not 16.
        Assert.Equal(8, sharing.Of(Function).MaxConcurrency);
    }

    [Fact]
    public void It_is_halved_and_stays_where_executions_last_longer_than_alone()
    {
        var sharing = new MemorySharing();
        Assert.Equal(1, sharing.Of(Function).MaxConcurrency);

        Execute(sharing, 1000, places => places * 200_000, memoryMb: 10);

        Assert.Equal(1, sharing.Of(Function).MaxConcurrency);
    }

    [Fact]
    public void Few_executions_are_slowed_down_to_find_out_that_a_function_computes()
    {
        var sharing = new MemorySharing();
        var (shared, random) = (0, new Random(5));

        // Durations spread by a third.
        Execute(
            sharing,
            1000,
            places =>
            {
                shared += places > 1 ? 1 : 0;
                return (long)(places * 200_000 * (0.67 + (random.NextDouble() * 0.66)));
            },
            memoryMb: 10);

        Assert.Equal(1, sharing.Of(Function).MaxConcurrency);
        Assert.InRange(shared, 1, 8);
    }

    [Fact]
    public void A_container_that_dies_while_it_is_shared_halves_it()
    {
        var sharing = new MemorySharing();
        sharing.Of(Function);
        Execute(sharing, 1000, _ => 200_000, memoryMb: 100);

        sharing.Executed(Function.Key, 0, 0, failed: true);

        Assert.Equal(4, sharing.Of(Function).MaxConcurrency);
    }

    [Fact]
    public void The_function_is_the_same_object_until_the_number_changes()
    {
        var sharing = new MemorySharing();

        Assert.Same(sharing.Of(Function), sharing.Of(Function));
    }

    private static void Execute(MemorySharing sharing, int executions, Func<int, long> durationUs, int memoryMb)
    {
        for (var i = 0; i < executions; i++)
        {
            sharing.Executed(Function.Key, durationUs(sharing.Of(Function).MaxConcurrency), memoryMb, failed: false);
        }
    }
}
