using System.Text;
using FsCheck.Fluent;

namespace FuncScaler.UnaryGrpc.Tests;

public sealed class GrpcMessageTextTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("plain ASCII ~!", "plain ASCII ~!")]
    [InlineData("100%", "100%25")]
    [InlineData("a\r\nb\tc", "a%0D%0Ab%09c")]
    [InlineData("\u007f", "%7F")]
    [InlineData("é", "%C3%A9")]
    [InlineData("没", "%E6%B2%A1")]
    [InlineData("🚀", "%F0%9F%9A%80")]
    public void Text_is_encoded_as_the_protocol_says(string text, string encoded)
    {
        Assert.Equal(encoded, GrpcMessageText.Encode(text));
        Assert.Equal(text, GrpcMessageText.Decode(encoded));
    }

    [Theory]
    [InlineData("%", "%")]
    [InlineData("50% off", "50% off")]
    [InlineData("%4", "%4")]
    [InlineData("%zz%41", "%zzA")]
    [InlineData("%%41", "%A")]
    [InlineData("%e6%b2%a1", "没")]
    [InlineData("%FF!", "\uFFFD!")]
    [InlineData("é%41", "éA")]
    public void Decoding_takes_what_it_gets(string encoded, string text) => Assert.Equal(text, GrpcMessageText.Decode(encoded));

    [Fact]
    public void Any_text_makes_the_round_trip_as_printable_ASCII() => Properties.Hold(
        // Not chars but runes: half of a surrogate pair is no text.
        Gen.OneOf(Gen.Choose(0, 0x7F), Gen.Choose(0x80, 0xD7FF), Gen.Choose(0xE000, 0x10FFFF))
            .Select(value => new Rune(value).ToString())
            .ListOf()
            .Select(runes => string.Concat(runes))
            .ToArbitrary(),
        text =>
        {
            string encoded = GrpcMessageText.Encode(text);
            Assert.All(encoded, character => Assert.InRange(character, ' ', '~'));
            Assert.Equal(text, GrpcMessageText.Decode(encoded));
        });

    [Fact]
    public void Decoding_never_fails() => Properties.Hold(
        ArbMap.Default.ArbFor<string>(), text => Assert.NotNull(GrpcMessageText.Decode(text ?? "%")));
}
