package rabbitmq

import (
	"errors"

	amqp "github.com/rabbitmq/amqp091-go"

	"tram/exchange"
)

// Why the broker does not take part. The words are for operators.
var (
	away = exchange.Rule{Name: "queue-unreachable", Code: exchange.Busy,
		En: "no node of the message broker is connected; deliveries wait in the ledger meanwhile; see that the broker runs and that the hub may reach it",
		Vi: "chưa kết nối được với nút nào của hệ thống hàng đợi; văn bản vẫn nằm an toàn trong sổ cái; hãy kiểm tra hệ thống hàng đợi và đường mạng tới đó"}
	blocked = exchange.Rule{Name: "queue-blocked", Code: exchange.Busy,
		En: "the message broker takes nothing in (%s); free its memory or disk; deliveries wait in the ledger meanwhile",
		Vi: "hệ thống hàng đợi tạm ngừng nhận (%s); hãy giải phóng bộ nhớ hoặc đĩa của nó; văn bản vẫn nằm an toàn trong sổ cái"}
	unconfirmed = exchange.Rule{Name: "queue-unconfirmed", Code: exchange.Busy,
		En: "the message broker did not confirm %d jobs; a queue is full, or it has no majority of its nodes; the sweep publishes them again",
		Vi: "hệ thống hàng đợi chưa xác nhận %d việc; hàng đợi đã đầy hoặc thiếu quá nửa số nút; trục sẽ tự gửi lại"}
	full = exchange.Rule{Name: "queue-full", Code: exchange.Busy,
		En: "%d jobs wait for the message broker already; the sweep publishes the others later",
		Vi: "đã có %d việc đang chờ trong hệ thống hàng đợi; trục sẽ tự gửi phần còn lại sau"}
	refused = exchange.Rule{Name: "queue-refused", Code: exchange.NotPermitted,
		En: "the message broker at %s lets this user not in, or not do what is needed: %s; correct user, password or virtual host, or grant configure, write and read on %q",
		Vi: "hệ thống hàng đợi tại %s không cho người dùng này truy cập: %s; hãy sửa tên, mật khẩu hoặc virtual host, hoặc cấp quyền configure, write và read trên %q"}
	drift = exchange.Rule{Name: "queue-topology", Code: exchange.Conflict,
		En: "the message broker at %s has an exchange or queue of this name made in another way: %s; delete it there (what was in it the ledger still has), or give the hub another queue.name",
		Vi: "hệ thống hàng đợi tại %s đã có exchange hoặc hàng đợi trùng tên nhưng khác tham số: %s; hãy xoá nó (sổ cái vẫn giữ mọi văn bản), hoặc đặt queue.name khác cho trục"}
)

// lasting reports whether an error is one that waiting does not mend.
func lasting(err error) bool {
	code := exchange.CodeOf(err)
	return code == exchange.NotPermitted || code == exchange.Conflict
}

// explained gives what a node answered the rule that it falls under; an error
// of the connection is left as it is.
func (q *Queue) explained(err error, address string) error {
	answer, ok := errors.AsType[*amqp.Error](err)
	if !ok {
		return err
	}
	switch answer.Code {
	case amqp.AccessRefused, amqp.NotAllowed:
		return refused.With(address, answer.Reason, "^"+q.c.Name+`(\..*)?$`)
	case amqp.PreconditionFailed:
		return drift.With(address, answer.Reason)
	}
	return err
}
