namespace FuncScaler.Tests.Pool;

/// <summary>What once went wrong: each story was the shortest way to a defect that a property or a reading found.</summary>
public class PoolRegressions
{
    [Fact]
    public void An_unanswered_create_leaves_the_inventory_with_the_first_list_that_should_show_its_slot()
    {
        var pool = new PoolDriver(options: new SlotPoolOptions { MaxSlots = 1 });
        Assert.Equal("create 1", pool.Assign("r1"));
        Assert.Equal("", pool.Reconcile());
        Assert.Equal("1 Creating", pool.States());
        pool.Wait(31 * PoolDriver.Second);

        Assert.Equal("create 2", pool.Reconcile());

        Assert.Equal("2 Creating", pool.States());
        Assert.Equal("destroy 3 late", pool.Created(1, "late"));
    }
}
