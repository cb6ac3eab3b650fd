using System.Buffers;
using FsCheck.Fluent;
using FuncScaler.Contract;

namespace FuncScaler.UnaryGrpc.Tests;

public sealed class MessageFrameTests
{
    private const int Limit = 1 << 20;

    [Fact]
    public void A_message_makes_the_round_trip_however_its_bytes_arrive() => Properties.Hold(
        (from texts in ArbMap.Default.GeneratorFor<string>().ArrayOf(3)
         from number in ArbMap.Default.GeneratorFor<int>()
         from gzip in ArbMap.Default.GeneratorFor<bool>()
         from pieceBytes in Gen.Choose(1, 40)
         select (Message: Message(texts, number), gzip, pieceBytes)).ToArbitrary(),
        draw =>
        {
            byte[] frame = draw.gzip ? Frames.Gzip(draw.Message) : Frames.Plain(draw.Message);
            ReadOnlySequence<byte> arrived = Frames.InPieces(frame, draw.pieceBytes);

            Assert.True(MessageFrame.TryRead(arrived, Limit, out byte flags, out ReadOnlySequence<byte> payload));
            Assert.True(arrived.Slice(payload.End).IsEmpty);
            Assert.Equal(
                draw.Message, MessageFrame.Parse(AssignRequest.Parser, flags, payload, MessageEncoding.Gzip, Limit));
        });

    [Fact]
    public void No_part_of_a_frame_is_taken_for_the_whole()
    {
        byte[] frame = Frames.Plain(Message(["a", "b", "c"], 7));
        for (int length = 0; length < frame.Length; length++)
        {
            Assert.False(MessageFrame.TryRead(new ReadOnlySequence<byte>(frame, 0, length), Limit, out _, out _));
        }
    }

    [Fact]
    public void What_follows_a_frame_is_left()
    {
        byte[] frame = Frames.Plain(Message(["a", "b", "c"], 7));
        var two = new ReadOnlySequence<byte>([.. frame, .. frame]);

        Assert.True(MessageFrame.TryRead(two, Limit, out _, out ReadOnlySequence<byte> payload));
        Assert.Equal(frame.Length, two.Slice(payload.End).Length);
    }

    [Fact]
    public void A_frame_that_says_it_is_too_large_is_refused_before_it_has_arrived()
    {
        byte[] header = [0, 0x80, 0, 0, 0];

        GrpcException error = Assert.Throws<GrpcException>(
            () => MessageFrame.TryRead(new ReadOnlySequence<byte>(header), Limit, out _, out _));
        Assert.Equal(GrpcStatus.ResourceExhausted, error.Status);
    }

    [Fact]
    public void Any_bytes_are_a_message_or_an_error_with_a_status() => Properties.Hold(
        ArbMap.Default.ArbFor<byte[]>(),
        bytes =>
        {
            foreach (byte flags in (byte[])[0, 1, 2])
            {
                try
                {
                    MessageFrame.Parse(
                        AssignRequest.Parser, flags, new ReadOnlySequence<byte>(bytes), MessageEncoding.Gzip, Limit);
                }
                catch (GrpcException error)
                {
                    Assert.Equal(GrpcStatus.Internal, error.Status);
                }
            }
        });

    private static AssignRequest Message(string?[] texts, int number) => new()
    {
        RequestId = Clean(texts[0]),
        Timestamp = (ulong)(uint)number,
        MetaData = new Meta { Key = Clean(texts[1]), Runtime = Clean(texts[2]), TimeoutInSecs = (uint)number },
    };

    // Protobuf strings are UTF-8; half of a surrogate pair has none.
    private static string Clean(string? text) => string.Concat((text ?? "").Where(character => !char.IsSurrogate(character)));
}
