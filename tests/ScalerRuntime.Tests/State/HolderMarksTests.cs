using FuncScaler.Runtime.State;

namespace FuncScaler.Tests.State;

public sealed class HolderMarksTests
{
    /// <summary>A timer of the core may fire while the state is closed.</summary>
    [Fact]
    public void A_mark_that_comes_after_the_file_was_closed_does_nothing()
    {
        var path = Path.GetTempFileName();
        try
        {
            var marks = HolderMarks.Create(path, "run", 10);
            var place = marks.Take(new SlotTicket(5));
            marks.Set(place, 7);
            marks.Dispose();

            marks.Set(place, 9);
            Assert.Equal(-1, marks.Take(new SlotTicket(6)));
            marks.GiveBack(place);

            Assert.Equal(new Dictionary<long, long> { [5] = 7 }, HolderMarks.Read(path, "run"));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
