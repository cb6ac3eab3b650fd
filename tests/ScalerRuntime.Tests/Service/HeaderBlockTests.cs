using FuncScaler.Runtime.Service.Frames;

namespace FuncScaler.Tests.Runtime;

/// <summary>Blocks that clients send: what asks for an instance is known by its path, and whatever is not certain is left alone.</summary>
public class HeaderBlockTests
{
    // The path by nghttp2, in Huffman's code, after fields of the static table and before others.
    [Theory]
    [InlineData("049961" + "05b3b96ca0a842e83536d0349ec5f7107416c621420d355f" + "83418b089d5c0b8170dc68000b3f86", true)]
    [InlineData("83" + "049e61049cb25b416caec3a4ebee24e592da0b631093b5a6b0b78f52466a8b67" + "86", true)]
    [InlineData("04986105b3b96ca0a842e83536d0349ec5f7107416c63249417f" + "83", false)] // .../Idle
    [InlineData("838684", false)] // The path / of the static table.
    [InlineData("8386" + "be", false)] // A field of a table that is not there.
    [InlineData("3fe11f" + "049961" + "05b3b96ca0a842e83536d0349ec5f7107416c621420d355f", false)] // A new size of that table.
    [InlineData("049961" + "05b3", false)] // Cut off.
    [InlineData("04ff", false)]
    [InlineData("04ffffffffffff", false)]
    [InlineData("ff", false)]
    [InlineData("00", false)]
    [InlineData("", false)]
    public void A_path_is_read_or_left_alone(string block, bool isAssign) =>
        Assert.Equal(isAssign, HeaderBlock.IsAssign(Convert.FromHexString(block)));

    [Theory]
    [InlineData("/serverless.simulator.Scaler/Assign", true)]
    [InlineData("/schedulerproto.Scheduler/AcquireContainer", true)]
    [InlineData("/serverless.simulator.Scaler/Idle", false)]
    [InlineData("/serverless.simulator.Scaler/Assign/", false)]
    [InlineData("", false)]
    public void A_literal_path_is_read_however_its_name_is_written(string path, bool isAssign)
    {
        foreach (var name in new byte[][] { [0x04], [0x44], [0x14], [0x45], [0, 5, .. ":path"u8] })
        {
            Assert.Equal(isAssign, HeaderBlock.IsAssign([0x83, .. name, (byte)path.Length, .. System.Text.Encoding.ASCII.GetBytes(path)]));
        }
    }

    [Fact]
    public void Whatever_bytes_come_it_ends()
    {
        var random = new Random(1);
        var block = new byte[64];
        for (var i = 0; i < 100_000; i++)
        {
            random.NextBytes(block);
            _ = HeaderBlock.IsAssign(block.AsSpan(0, random.Next(block.Length)));
        }
    }
}
