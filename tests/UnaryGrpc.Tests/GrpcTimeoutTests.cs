using FsCheck.Fluent;

namespace FuncScaler.UnaryGrpc.Tests;

public sealed class GrpcTimeoutTests
{
    [Theory]
    [InlineData("1n", 1)]
    [InlineData("100n", 1)]
    [InlineData("101n", 2)]
    [InlineData("1u", 10)]
    [InlineData("250m", 2_500_000)]
    [InlineData("5S", 50_000_000)]
    [InlineData("2M", 1_200_000_000)]
    [InlineData("1H", 36_000_000_000)]
    [InlineData("0S", 0)]
    [InlineData("00000007S", 70_000_000)]
    [InlineData("99999999H", 3_599_999_964_000_000_000)]
    public void A_timeout_is_digits_and_a_unit(string text, long ticks)
    {
        Assert.True(GrpcTimeout.TryParse(text, out TimeSpan timeout));
        Assert.Equal(ticks, timeout.Ticks);
    }

    [Theory]
    [InlineData("")]
    [InlineData("S")]
    [InlineData("5")]
    [InlineData("5s")]
    [InlineData("-5S")]
    [InlineData("+5S")]
    [InlineData("5.5S")]
    [InlineData(" 5S")]
    [InlineData("5S ")]
    [InlineData("123456789S")]
    [InlineData("٣S")]
    public void Anything_else_is_no_timeout(string text) => Assert.False(GrpcTimeout.TryParse(text, out _));

    [Theory]
    [InlineData(0, "100n")]
    [InlineData(1, "100n")]
    [InlineData(999_999, "99999900n")]
    [InlineData(1_000_000, "100000u")]
    [InlineData(999_999_991, "100000m")]
    [InlineData(long.MaxValue, "99999999H")]
    public void The_finest_unit_that_holds_it_is_used(long ticks, string text) =>
        Assert.Equal(text, GrpcTimeout.Format(new TimeSpan(ticks)));

    [Fact]
    public void What_is_formatted_is_read_back_and_never_earlier_nor_much_later() => Properties.Hold(
        // All magnitudes: from one tick to the longest that eight digits hold.
        (from power in Gen.Choose(0, 61)
         from offset in ArbMap.Default.GeneratorFor<long>()
         let least = 1L << power
         select new TimeSpan(Math.Min(least + (long.Abs(offset / 2) % least), 99_999_999 * TimeSpan.TicksPerHour))).ToArbitrary(),
        timeout =>
        {
            string text = GrpcTimeout.Format(timeout);
            Assert.True(GrpcTimeout.TryParse(text, out TimeSpan read));
            Assert.True(read >= timeout);
            // A coarser unit is taken only past 99,999,999 of the finer, which is at worst 27,777 of it.
            Assert.True((read - timeout).Ticks <= timeout.Ticks / 27_000, $"{timeout} became {read}");
        });
}
